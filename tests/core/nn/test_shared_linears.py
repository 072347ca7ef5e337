"""Linear layers of inference: a twin computes what its module computes, and leaves it alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tfx_core.nn import OneDnnLinear, for_inference


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Sequential(nn.Linear(40, 7, bias=False)))


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (2,), (5, 1), (3, 70)])
def test_a_twin_computes_the_same(shape: tuple[int, ...]) -> None:
    module, x = model(), torch.randn(*shape, 24)
    with torch.inference_mode():
        twin = for_inference(module)
        torch.testing.assert_close(twin(x), module(x))
        apart = torch.randn(*shape, 48)[..., ::2]  # not side by side in memory
        torch.testing.assert_close(twin(apart), module(apart))


def test_a_twin_shares_the_parameters_and_leaves_its_module_plain() -> None:
    module = model()
    with torch.inference_mode():
        twin = for_inference(module)
    assert [type(each) for each in module.modules()].count(OneDnnLinear) == 0
    assert [type(each) for each in twin.modules()].count(OneDnnLinear) == (
        2 if torch.backends.mkldnn.is_available() else 0
    )
    assert all(one is other for one, other in zip(twin.parameters(), module.parameters(), strict=True))


def test_what_computes_something_else_stays_as_it_is() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    watched, seen = nn.Linear(4, 4), []
    watched.register_forward_hook(lambda *call: seen.append(call))
    transposed = nn.Linear(4, 8)
    transposed.weight = nn.Parameter(torch.randn(4, 8).t())  # oneDNN is slower than torch there
    module = nn.Sequential(Doubled(4, 4), watched, nn.Linear(4, 4).to(torch.bfloat16), transposed)
    with torch.inference_mode():
        twin = for_inference(module)
        assert not any(isinstance(each, OneDnnLinear) for each in twin.modules())
        twin[:2](torch.randn(3, 4))  # type: ignore[index]
    assert len(seen) == 1


def test_what_is_watched_or_replaced_stays_itself() -> None:
    inner, seen = nn.Sequential(nn.Linear(4, 4)), []
    inner.register_forward_pre_hook(lambda module, _: seen.append(module))
    replaced = nn.Linear(4, 4)
    replaced.forward = torch.zeros_like  # type: ignore[method-assign]  # as libraries do that move weights about
    module = nn.Sequential(inner, nn.Linear(4, 4), replaced)
    with torch.inference_mode():
        y = for_inference(module)(torch.randn(3, 4))
    assert seen == [inner]
    assert not y.any()


def test_what_is_compiled_stays_itself_and_runs_compiled() -> None:
    ran: list[torch.fx.GraphModule] = []

    def compiler(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., Any]:
        return lambda *given: (ran.append(graph), graph(*given))[1]

    class Rectified(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self[0](x).relu()  # type: ignore[no-any-return]

    module, x = nn.Sequential(nn.Linear(24, 40), Rectified(nn.Linear(40, 7))), torch.randn(3, 24)
    torch.compiler.reset()
    with torch.inference_mode():
        expected = for_inference(module)(x)
        module[1].compile(backend=compiler)
        twin = for_inference(module)
        assert twin[1] is module[1]  # type: ignore[index]
        assert isinstance(twin[0], OneDnnLinear) == torch.backends.mkldnn.is_available()  # type: ignore[index]
        torch.testing.assert_close(twin(x), expected)
        assert len(ran) == 1
        module[0] = torch.compile(module[0], backend=compiler)
        torch.testing.assert_close(for_inference(module)(x), expected)
    assert len(ran) == 3


def test_dropout_is_left_out_unless_it_drops() -> None:
    module = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5)).eval()
    module[1].train()
    with torch.inference_mode():
        twin = for_inference(module)
    assert [type(each) for each in twin.children()] == [nn.Identity, nn.Dropout]


def test_gradients_and_autocast_get_the_module_itself() -> None:
    module = model()
    assert for_inference(module) is module
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert for_inference(module) is module
