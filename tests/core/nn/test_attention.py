"""Attention's seams: kernels agree, layouts agree, caches agree, heads can be removed."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn import (
    Allowed,
    Attention,
    AttentionCall,
    Bias,
    Causal,
    Chunks,
    CrossAttentionCache,
    CrossProjections,
    DecoderCache,
    FirstTokens,
    FusedProjections,
    GlobalTokens,
    KeyValueCache,
    Observer,
    Ragged,
    RowsPerSource,
    SameText,
    Scores,
    SelfAttentionCache,
    Span,
    Window,
    eager,
    sdpa,
)

B, S, H, D = 3, 7, 4, 16


class Adapter(nn.Module):
    """What adapters of low rank do: it holds a layer and is none."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x)
        return y


def keys_of(mask: Tensor) -> Bias:
    """Lets every query see what is real."""
    return Allowed(mask.bool()[:, None, None])


@pytest.fixture
def attention() -> Attention:
    torch.manual_seed(0)
    return Attention(FusedProjections(D, D), nn.Linear(D, D), H).eval()


@pytest.fixture
def cross_attention() -> Attention:
    torch.manual_seed(1)
    return Attention(CrossProjections(D, D, source_size=10), nn.Linear(D, D), H).eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(B, S, D, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def mask() -> Tensor:
    return torch.tensor([[1] * 7, [1, 1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1]])


def test_eager_and_fused_kernels_agree(attention: Attention, x: Tensor, mask: Tensor) -> None:
    bias = keys_of(mask) + Causal()
    fused = attention(x, AttentionCall(kernel=sdpa, bias=bias))
    separate = attention(x, AttentionCall(kernel=eager, bias=bias))
    real = mask.bool()
    torch.testing.assert_close(fused[real], separate[real])


def test_the_fused_kernel_compiles_for_any_length() -> None:
    def causal(x: Tensor) -> Tensor:
        return sdpa(x, x, x, Causal(), scale=1.0, dropout=0.0)

    torch.compiler.reset()
    compiled = torch.compile(causal, backend="eager", fullgraph=True)
    for length in (7, 5):
        x = torch.randn(2, H, length, 4)
        torch._dynamo.mark_dynamic(x, 2)
        torch.testing.assert_close(compiled(x), causal(x))


def test_nothing_becomes_nan_where_nothing_may_be_seen(attention: Attention, x: Tensor) -> None:
    bias = Allowed(torch.zeros(B, 1, S, S, dtype=torch.bool))
    for kernel in (sdpa, eager):
        assert attention(x, AttentionCall(kernel=kernel, bias=bias)).isfinite().all()


def test_weights_sum_to_one_and_a_masked_head_is_silent(attention: Attention, x: Tensor) -> None:
    record: list[Tensor] = []
    keep = torch.tensor([1.0, 0.0, 1.0, 1.0])[None, :, None, None]
    masked = attention(x, AttentionCall(observer=Observer(record, keep)))
    torch.testing.assert_close(record[0].sum(-1) * 1.0, keep.expand(B, H, S, 1)[..., 0].clone())
    attention.keep_heads([0, 2, 3])
    torch.testing.assert_close(attention(x, AttentionCall()), masked)


def test_pruned_heads_take_their_parameters_along(attention: Attention, cross_attention: Attention) -> None:
    attention.keep_heads([3])
    cross_attention.keep_heads([0, 1])
    assert (attention.heads, attention.out.in_features, attention.projections.qkv.out_features) == (1, 4, 12)
    assert (cross_attention.projections.queries.out_features, cross_attention.projections.keys_values.out_features) == (
        8,
        16,
    )


def test_ragged_tokens_give_what_padded_ones_give(attention: Attention, x: Tensor, mask: Tensor) -> None:
    layout = Ragged(mask)
    bias = keys_of(mask)
    ragged = layout.unpack(attention(layout.pack(x), AttentionCall(bias=bias, layout=layout)))
    padded = attention(x, AttentionCall(bias=bias))
    torch.testing.assert_close(ragged[mask.bool()], padded[mask.bool()])
    assert not ragged[~mask.bool()].any()


def test_a_memory_as_source_uses_the_fused_matrix(attention: Attention, x: Tensor) -> None:
    both = attention(x[:, 4:], AttentionCall(source=x))
    torch.testing.assert_close(both, attention(x, AttentionCall())[:, 4:])


def test_an_adapter_may_stand_for_the_fused_matrix(attention: Attention, x: Tensor) -> None:
    alone = attention(x, AttentionCall())
    assert isinstance(attention.projections, FusedProjections)
    attention.projections.qkv = Adapter(attention.projections.qkv)  # type: ignore[assignment]
    torch.testing.assert_close(attention(x, AttentionCall()), alone)


def test_rows_of_one_source_attend_together(cross_attention: Attention, x: Tensor) -> None:
    source = torch.randn(B, 5, 10, generator=torch.Generator().manual_seed(3))
    mask = torch.tensor([[1] * 5, [1, 1, 0, 0, 0], [1, 1, 1, 1, 0]])
    beams = x.repeat_interleave(2, 0) + torch.arange(2 * B)[:, None, None] * 0.1
    together = cross_attention(beams, AttentionCall(bias=keys_of(mask), source=source, layout=RowsPerSource(2)))
    apart = cross_attention(
        beams, AttentionCall(bias=keys_of(mask.repeat_interleave(2, 0)), source=source.repeat_interleave(2, 0))
    )
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize("grad", [False, True])
def test_a_cache_gives_what_the_whole_text_gives(attention: Attention, x: Tensor, grad: bool) -> None:
    whole = attention(x, AttentionCall(bias=Causal()))
    cache, parts, start = SelfAttentionCache(), [], 0
    with torch.set_grad_enabled(grad):
        for length in (3, 1, 1, 2):
            parts.append(attention(x[:, start : start + length], AttentionCall(bias=Causal(), cache=cache)))
            start += length
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    if grad:
        torch.cat(parts, 1).sum().backward()
        assert attention.out.weight.grad is not None


def test_a_growing_cache_keeps_what_it_had() -> None:
    cache = SelfAttentionCache()
    columns = torch.randn(2, H, 300, 4, generator=torch.Generator().manual_seed(4))
    for column in columns.split(1, dim=2):
        keys, values = cache.append(column, -column)
    assert torch.equal(keys, columns)
    assert torch.equal(values, -columns)
    cache.select(torch.tensor([1, 1, 0]))
    cache.crop(100)
    keys, _ = cache.append(columns[[0, 0, 0], :, :1], columns[[0, 0, 0], :, :1])
    assert torch.equal(keys[1, :, :100], columns[1, :, :100])
    assert cache.length == 101


def test_the_source_is_projected_once(cross_attention: Attention, x: Tensor) -> None:
    source, cache = torch.randn(B, 5, 10), CrossAttentionCache()
    first = cross_attention(x, AttentionCall(source=source, cache=cache))
    again = cross_attention(x, AttentionCall(cache=cache))
    torch.testing.assert_close(first, again)
    cache.select(torch.tensor([2, 0]))
    torch.testing.assert_close(cross_attention(x[[2, 0]], AttentionCall(cache=cache)), first[[2, 0]])


def test_a_decoder_cache_takes_tokens_back_row_by_row() -> None:
    cache = DecoderCache([KeyValueCache()])
    tokens = torch.ones(2, 4, dtype=torch.long)
    Span.of(tokens, None, causal=True, cache=cache)
    cache.layers[0].self_attention.append(torch.zeros(2, 1, 4, 1), torch.zeros(2, 1, 4, 1))
    cache.keep(torch.tensor([1, 2]), of=3)
    assert (cache.real.dense_mask.tolist(), cache.length) == ([[1, 1, 0], [1, 1, 1]], 3)
    span = Span.of(tokens[:, :1], None, causal=True, cache=cache)
    assert span.positions.tolist() == [[2], [3]]


def test_masks_of_patterns_say_who_sees_whom() -> None:
    scores = Scores(5, 5, torch.float32, torch.device("cpu"))
    near = Window(1, 1, dilation=2)
    chosen = torch.tensor([[False, True, False, False, False]])
    patterns = {
        "window": near,
        "seen": GlobalTokens(Window(0, 0), chosen, both=False),
        "global": GlobalTokens(Window(0, 0), chosen),
        "chunks": Chunks(2, 1, 0),
        "texts": SameText(torch.tensor([[0, 0, 1, 1, 1]])),
    }
    expected = {
        "window": ["x.x..", ".x.x.", "x.x.x", ".x.x.", "..x.x"],
        "seen": ["xx...", ".x...", ".xx..", ".x.x.", ".x..x"],
        "global": ["xx...", "xxxxx", ".xx..", ".x.x.", ".x..x"],
        "chunks": ["xx...", "xx...", "xxxx.", "xxxx.", "..xxx"],
        "texts": ["xx...", "xx...", "..xxx", "..xxx", "..xxx"],
    }
    last = scores._replace(queries=2)  # of a decoder that goes on
    for name, pattern in patterns.items():
        allowed = pattern.allowed(scores)[0, 0]
        assert ["".join("x" if each else "." for each in row) for row in allowed.tolist()] == expected[name]
        assert torch.equal(pattern.allowed(last)[0, 0], allowed[-2:])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Window(-1, 1), "Window: before=-1: must be from 0 to"),
        (lambda: Window(None, -2), "Window: after=-2: must be from 0 to"),
        (lambda: Window(1, 1, dilation=0), "Window: dilation=0: must be from 1 to"),
        (lambda: Window(1, 10**20), "Window: after=100000000000000000000: must be from 0 to"),
        (lambda: Chunks(0, 1, 0), "Chunks: length=0: must be from 1 to"),
        (lambda: Chunks(4, -1, 0), "Chunks: before=-1: must be from 0 to"),
        (lambda: Chunks(4, 0, -1), "Chunks: after=-1: must be from 0 to"),
        (lambda: FirstTokens(Window(1, 1), 0), "FirstTokens: count=0: must be from 1 to"),
    ],
)
def test_a_pattern_of_no_tokens_is_refused(make: Callable[[], Bias], told: str) -> None:
    with pytest.raises(InputError, match=told):
        make()


def test_masks_say_the_same_of_some_places_as_of_all() -> None:
    scores = Scores(5, 5, torch.float32, torch.device("cpu"))
    chosen = torch.tensor([[False, True, False, False, False], [True, False, False, False, True]])
    places, some = torch.arange(5)[None], torch.tensor([[3, 1], [4, 0]])
    for both in (False, True):
        mask = GlobalTokens(Window(1, 0), chosen, both=both)
        rows = mask.allowed(scores)[:, 0].take_along_dim(some[..., None], dim=1)
        assert torch.equal(mask.at(some, places), rows)
