"""Packed linear layers: a twin computes what its module computes, and leaves it alone."""

import pytest
import torch
from torch import nn

from tfx_core.nn import PackedLinear, packed


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Sequential(nn.Linear(40, 7, bias=False)))


@pytest.mark.parametrize("shape", [(1,), (2,), (5, 1), (3, 70)])
def test_a_twin_computes_the_same(shape: tuple[int, ...]) -> None:
    module, x = model(), torch.randn(*shape, 24)
    with torch.inference_mode():
        torch.testing.assert_close(packed(module)(x), module(x))


def test_a_twin_shares_the_parameters_and_leaves_its_module_plain() -> None:
    module = model()
    with torch.inference_mode():
        twin = packed(module)
    assert [type(each) for each in module.modules()].count(PackedLinear) == 0
    assert [type(each) for each in twin.modules()].count(PackedLinear) == (
        2 if torch.backends.mkldnn.is_available() else 0
    )
    assert all(one is other for one, other in zip(twin.parameters(), module.parameters(), strict=True))


def test_what_computes_something_else_is_not_packed() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    watched, seen = nn.Linear(4, 4), []
    watched.register_forward_hook(lambda *call: seen.append(call))
    module = nn.Sequential(Doubled(4, 4), watched, nn.Linear(4, 4).to(torch.bfloat16))
    with torch.inference_mode():
        twin = packed(module)
        assert not any(isinstance(each, PackedLinear) for each in twin.modules())
        twin[:2](torch.randn(3, 4))  # type: ignore[index]
    assert len(seen) == 1


def test_gradients_and_autocast_get_the_module_itself() -> None:
    module = model()
    assert packed(module) is module
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert packed(module) is module
