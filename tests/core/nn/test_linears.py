"""Packed linear layers: each kernel computes what a plain layer does, as exactly as it keeps the weights."""

import copy
import pickle
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn import LinearKernel, PackedLinear, pack_linears, packed_layers
from tfx_core.nn.linears import choices
from tfx_core.nn.linears.fbgemm import Half, Int8, Int8Linear, _rounded
from tfx_core.nn.linears.onednn import OneDnn
from tfx_core.nn.linears.plain import Constant, Rounded

TOLERANCES = {OneDnn: 1e-5, Constant: 1e-5, Half: 2e-3, Int8: 4e-2, Rounded: 2e-2}
"""Of the length of an output."""

KERNELS = [
    kernel for name in ("float32", "bfloat16", "int8") for kernel in getattr(choices, name) if kernel.missing() is None
]


@pytest.fixture(params=KERNELS, ids=lambda kernel: f"{type(kernel).__name__}-{kernel.dtype}")
def kernel(request: pytest.FixtureRequest) -> LinearKernel:
    found: LinearKernel = request.param
    return found


@pytest.fixture(autouse=True)
def inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def layer(kernel: LinearKernel, bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(48, 40, bias=bias).to(kernel.dtype)


class Activated(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.gelu(self.linear(x))


def error(found: Tensor, expected: Tensor) -> float:
    """The greatest distance of a row from what it should be, as a share of its length."""
    return float(((found - expected).float().norm(dim=-1) / expected.float().norm(dim=-1)).max())


@pytest.mark.parametrize("shape", [(), (1,), (2,), (5, 1), (3, 70)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_computes_the_same(kernel: LinearKernel, shape: tuple[int, ...], bias: bool) -> None:
    plain = layer(kernel, bias)
    packed = kernel.pack(plain.weight, plain.bias)
    x = torch.randn(*shape, 48, dtype=kernel.dtype)
    y = packed(x)
    assert (y.shape, y.dtype) == ((*shape, 40), kernel.dtype)
    tolerance = max(TOLERANCES[type(kernel)], 1e-2 if kernel.dtype == torch.bfloat16 else 0)
    assert error(y, plain(x)) < tolerance
    apart = torch.randn(*shape, 96, dtype=kernel.dtype)[..., ::2]  # not side by side in memory
    assert error(packed(apart), plain(apart)) < tolerance


def test_a_row_is_the_same_whatever_stands_beside_it(kernel: LinearKernel) -> None:
    plain = layer(kernel)
    packed = kernel.pack(plain.weight, plain.bias)
    x = torch.randn(6, 48, dtype=kernel.dtype) * torch.tensor([1, 100, 1e-3, 1, 7, 0.1], dtype=kernel.dtype)[:, None]
    alone = torch.cat([packed(row) for row in x.split(1)])
    assert error(packed(x), alone) < (1e-2 if kernel.dtype == torch.bfloat16 else 1e-5)


def test_a_compiler_leaves_it_as_it_is(kernel: LinearKernel) -> None:
    packed = Activated(layer(kernel))
    pack_linears(packed, kernel)
    x, graphs = torch.randn(3, 48, dtype=kernel.dtype), []

    def compiler(graph: torch.fx.GraphModule, inputs: object) -> torch.fx.GraphModule:
        graphs.append([str(node.target) for node in graph.graph.nodes if node.op == "call_function"])
        return graph

    torch.compiler.reset()
    torch.testing.assert_close(torch.compile(packed, backend=compiler)(x), packed(x), rtol=0, atol=0)
    assert len(graphs) == 1
    assert "gelu" in graphs[0][0]
    torch.compiler.reset()
    whole = torch.compile(packed, backend=compiler, fullgraph=True)
    with pytest.raises(RuntimeError, match="a packed linear layer is computed by the kernel that packed it"):
        whole(x)


def test_no_gradient_is_lost(kernel: LinearKernel) -> None:
    plain = layer(kernel)
    packed = kernel.pack(plain.weight, plain.bias)
    with torch.inference_mode(mode=False), pytest.raises(InputError, match="gradients do not pass the weights"):
        packed(torch.randn(2, 48, dtype=kernel.dtype, requires_grad=True))
    with torch.inference_mode(mode=False):
        learnt = torch.randn(2, 48, dtype=kernel.dtype, requires_grad=True)
        with torch.no_grad():
            assert not packed(learnt).requires_grad


def test_zeros_stay_zeros(kernel: LinearKernel) -> None:
    packed = kernel.pack(torch.zeros(40, 48, dtype=kernel.dtype), None)
    assert not packed(torch.zeros(3, 48, dtype=kernel.dtype)).any()
    assert not packed(torch.randn(3, 48, dtype=kernel.dtype)).any()


def test_the_weight_can_be_had_again(kernel: LinearKernel) -> None:
    plain = layer(kernel)
    packed = kernel.pack(plain.weight, plain.bias)
    assert packed.weight.shape == (40, 48)
    if packed.is_exact:
        assert packed.weight.equal(plain.weight)
    assert error(packed.weight.to(kernel.dtype), plain.weight) < 2e-2
    assert packed.unpacked()(torch.ones(48, dtype=kernel.dtype)).shape == (40,)


def test_it_is_copied_and_not_pickled(kernel: LinearKernel) -> None:
    plain = layer(kernel)
    packed = kernel.pack(plain.weight, plain.bias)
    x = torch.randn(2, 48, dtype=kernel.dtype)
    assert copy.deepcopy(packed)(x).equal(packed(x))
    with pytest.raises(InputError, match="cannot be pickled; send the folder"):
        pickle.dumps(packed)


def test_eight_bits_are_all_used() -> None:
    weight = torch.linspace(-1, 1, 255)[None].repeat(2, 1) * torch.tensor([[1.0], [1000.0]])
    packed = Int8Linear(weight, None, adds_in_16_bits=False)
    torch.testing.assert_close(packed.weight, weight, rtol=1e-5, atol=1e-5)


def test_where_products_are_added_in_16_bits_only_channels_that_would_overflow_have_fewer_levels() -> None:
    alone = torch.tensor([127.0, 0, -126, 1, 100, -100, 3])
    together = torch.tensor([127.0, 127, -126, 1, 100, -100, 3])
    packed = Int8Linear(torch.stack([alone, together]), None, adds_in_16_bits=True)
    assert packed.weight[0].equal(alone)
    coarse = packed.weight[1] * 64 / 127
    torch.testing.assert_close(coarse, (together * 64 / 127).round(), rtol=1e-5, atol=0)


@pytest.mark.parametrize("sign", [1, -1])
def test_nothing_overflows_whatever_is_read(sign: int) -> None:
    if Int8().missing() is not None:
        assert isinstance(choices.int8[-1], Rounded)
        return
    weight = sign * torch.cat([torch.ones(3, 48), torch.rand(3, 48)])
    packed = Int8().pack(weight, None)
    x = torch.ones(2, 48)
    x[:, -1] = 0  # or the widest range would be none
    torch.testing.assert_close(packed(x), x @ packed.weight.T, rtol=1e-5, atol=1e-4)


def test_two_neighbours_that_end_in_a_half_do_not_overflow_together() -> None:
    halves = torch.arange(32) + 0.5
    length = torch.rand(20_000, 1, 1, generator=torch.Generator().manual_seed(0))
    pairs = (length * torch.stack((32 + halves, 96 - halves), dim=1)).flatten(0, 1)
    rounded = _rounded(pairs, adds_in_16_bits=True)[0]
    assert 255 * rounded.int().sum(1).max() <= 2**15 - 1


@pytest.mark.parametrize("rows", [1, 2])
def test_a_bias_may_forbid_an_output(kernel: LinearKernel, rows: int) -> None:
    plain = layer(kernel)
    assert plain.bias is not None
    expected = plain.bias.new_tensor([-torch.inf, torch.inf])
    packed = kernel.pack(plain.weight, torch.cat((expected, plain.bias[2:])))
    found = packed(torch.randn(rows, 48, dtype=kernel.dtype))
    assert found[:, :2].equal(expected.expand(rows, 2))
    assert found[:, 2:].isfinite().all()


def test_what_is_recorded_of_one_token_reads_another(kernel: LinearKernel) -> None:
    if isinstance(kernel, OneDnn):
        return  # torch cannot record its weights
    plain = layer(kernel)
    packed, x = kernel.pack(plain.weight, plain.bias), torch.randn(2, 1, 48, dtype=kernel.dtype)
    recorded = torch.jit.trace(packed, x[0], check_trace=False)
    torch.testing.assert_close(recorded(3 * x[1]), packed(3 * x[1]), rtol=1e-2, atol=1e-2)


def test_threads_may_pack_at_once() -> None:
    if Int8().missing() is not None:
        assert isinstance(choices.int8[-1], Rounded)
        return
    engine, filters = torch.backends.quantized.engine, list(warnings.filters)
    meet, weight = Barrier(4), torch.randn(64, 64)

    def pack(number: int) -> None:
        meet.wait()
        for _ in range(100):
            Int8().pack(weight, None)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pack, range(4)))
    assert torch.backends.quantized.engine == engine
    assert list(warnings.filters) == filters


def test_plain_layers_of_a_module_are_packed(kernel: LinearKernel) -> None:
    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    shared, watched = nn.Linear(4, 4), nn.Linear(4, 4)
    watched.register_forward_hook(lambda *call: None)
    module = nn.ModuleDict({"one": nn.Sequential(shared, Doubled(4, 4)), "two": shared, "three": watched})
    pack_linears(module.to(kernel.dtype), kernel)
    assert module["one"][0] is module["two"]  # type: ignore[index]
    assert len(list(packed_layers(module))) == 1
    assert not shared._parameters
    assert [type(each) for each in (module["one"][1], module["three"])] == [Doubled, nn.Linear]  # type: ignore[index]


def test_kernels_of_a_name_end_with_one_for_any_machine() -> None:
    for name in ("float32", "bfloat16", "int8"):
        assert getattr(choices, name)[-1].missing() is None


def test_a_table_is_kept_in_the_type_of_its_kernel(kernel: LinearKernel) -> None:
    module = nn.ModuleDict({"table": nn.Embedding(5, 4, padding_idx=1), "out": nn.Linear(4, 5)}).to(kernel.dtype)
    table, out = module["table"], module["out"]
    assert isinstance(table, nn.Embedding)
    assert isinstance(out, nn.Linear)
    before, ids = table(torch.arange(5)), torch.arange(5)
    out.weight = table.weight
    pack_linears(module, kernel)
    found = module["table"]
    assert isinstance(found, nn.Embedding)
    assert (found.weight.dtype, found(ids).dtype, found.padding_idx) == (kernel.table_dtype, kernel.dtype, 1)
    torch.testing.assert_close(found(ids), before, rtol=1e-3, atol=1e-4)
    assert bool(list(module.parameters())) == (kernel.table_dtype is kernel.dtype)


def test_a_table_that_does_not_fit_is_refused() -> None:
    table = nn.Embedding.from_pretrained(torch.full((2, 2), 1e6))
    with pytest.raises(InputError, match=r"numbers beyond those of torch\.float16; load it with dtype='float32'"):
        pack_linears(nn.ModuleDict({"table": table}), Int8())


def test_it_says_what_it_is() -> None:
    packed: PackedLinear = Constant(torch.float32).pack(torch.ones(2, 3), None)
    assert repr(packed) == "ConstantLinear(in_features=3, out_features=2, bias=False)"
