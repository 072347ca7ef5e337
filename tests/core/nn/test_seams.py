"""The seams of a call, proved by mechanisms that are no architecture of ours: each is a class, and core has no `if`."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

from tfx_core.model import ModelOutput, TransformerBackbone, one_of
from tfx_core.nn import (
    Allowed,
    Attention,
    AttentionCall,
    AttentionKernel,
    Bias,
    Causal,
    DecoderCache,
    DenseBias,
    Embeddings,
    FeedForward,
    FusedProjections,
    Geometry,
    Layer,
    LayerCall,
    Memory,
    Observer,
    PostNorm,
    RealTokens,
    Recorder,
    RecurrentCall,
    Rotary,
    Scores,
    Span,
    Stack,
    StackCall,
    Window,
    eager,
    sdpa,
    together,
)

B, S, H, D, V = 3, 8, 4, 16, 20


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(B, S, D, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def mask() -> Tensor:
    return torch.tensor([[1] * 8, [1, 1, 1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1, 1]])


def attention(kind: type[Attention] = Attention) -> Attention:
    return kind(FusedProjections(D, D), nn.Linear(D, D), H)


def layer(self_attention: nn.Module) -> Layer:
    def wrapped(sublayer: nn.Module) -> PostNorm:
        return PostNorm(sublayer, nn.LayerNorm(D), 0.0)

    return Layer(wrapped(self_attention), wrapped(FeedForward(nn.Linear(D, 2 * D), nn.GELU(), nn.Linear(2 * D, D))))


def embeddings() -> Embeddings:
    return Embeddings(nn.Embedding(V, D), nn.Embedding(S, D))


# A window with global tokens, whose attentions are reported


@dataclass(frozen=True)
class WindowCall(AttentionCall):
    """The window's half width, which tokens are real and which of them are global, ``(B, S)``."""

    half: int = 0
    real: RealTokens | None = None
    global_tokens: Tensor | None = None


class BandedAttention(Attention):
    """Every token sees its window and the global ones; scores of nothing else are computed."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        assert isinstance(call, WindowCall)
        assert call.real is not None
        assert call.global_tokens is not None
        length, half = key.shape[2], call.half
        columns = torch.arange(length)[:, None] + torch.arange(-half, half + 1)  # (S, 2w + 1)
        inside = (columns >= 0) & (columns < length)
        columns = columns.clamp(0, length - 1)
        seen = inside & call.real.dense_mask[:, columns] & ~call.global_tokens[:, columns]  # (B, S, 2w + 1)
        banded = (query[..., None, :] * key[:, :, columns]).sum(-1)  # (B, H, S, 2w + 1)
        everywhere = query @ key.transpose(-1, -2)  # of few global keys, in earnest
        scores = torch.cat((banded, everywhere), dim=-1) * self.scale
        known = call.global_tokens & call.real.dense_mask
        allowed = torch.cat((seen, known[:, None].expand(-1, length, -1)), dim=-1)
        weights = scores.masked_fill(~allowed[:, None], -1e9).softmax(-1)
        weights = weights if call.observer is None else call.observer(weights)
        local, of_global = weights.split((2 * half + 1, length), dim=-1)
        return (local[..., None] * value[:, :, columns]).sum(-2) + of_global @ value


class WindowedBackbone(TransformerBackbone):
    """Takes one more input, which only its own layers know."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        global_attention_mask: Tensor | None = None,
        output_attentions: bool = False,
        attention: AttentionKernel = sdpa,
    ) -> ModelOutput:
        tokens = one_of(input_ids, None)
        span = Span.of(tokens, attention_mask, causal=False)
        chosen = torch.zeros_like(tokens) if global_attention_mask is None else global_attention_mask
        own = WindowCall(
            kernel=attention, layout=span.layout, half=1, real=span.new, global_tokens=chosen.bool()
        )  # fmt: skip
        call = StackCall(own, recorder=Recorder(attentions=[] if output_attentions else None))
        return self.run(self.embedded(tokens, span), span, call)


def test_a_window_with_global_tokens_reports_its_attentions(mask: Tensor) -> None:
    backbone = WindowedBackbone(embeddings(), Stack([layer(attention(BandedAttention)) for _ in range(2)])).eval()
    ids = torch.randint(0, V, (B, S), generator=torch.Generator().manual_seed(2))
    chosen = torch.zeros(B, S, dtype=torch.long)
    chosen[0, 5] = chosen[1, 0] = chosen[2, 2] = 1
    output = backbone(ids, mask, chosen, output_attentions=True)
    assert [tuple(each.shape) for each in output.attentions] == [(B, H, S, 3 + S)] * 2
    real = mask.bool()
    torch.testing.assert_close(output.attentions[1].sum(-1).transpose(1, 2)[real], torch.ones(int(real.sum()), H))
    assert backbone(ids, mask, chosen).last_hidden_state[real].equal(output.last_hidden_state[real])


def test_a_backbone_of_its_own_sees_padding_where_that_is_asked_for(mask: Tensor) -> None:
    backbone = WindowedBackbone(embeddings(), Stack([layer(attention(BandedAttention))])).eval()
    ids = torch.randint(0, V, (B, S), generator=torch.Generator().manual_seed(2))
    shapes: list[tuple[int, ...]] = []
    for module in (backbone.embeddings.token, backbone.stack.layers[0]):
        module.register_forward_hook(lambda *given: shapes.append(tuple(given[-1].shape)))
    packed = backbone(ids, mask).last_hidden_state
    backbone.packed = False
    padded = backbone(ids, mask).last_hidden_state
    assert shapes == [(int(mask.sum()), D)] * 2 + [(B, S, D)] * 2
    torch.testing.assert_close(padded[mask.bool()], packed[mask.bool()])


def test_what_is_banded_equals_what_is_dense(x: Tensor, mask: Tensor) -> None:
    banded = attention(BandedAttention).eval()
    real, chosen = RealTokens.of(x, mask), torch.zeros(B, S, dtype=torch.bool)
    chosen[:, 4] = True
    window = Window(2, 2).allowed(Scores(S, S, x.dtype, x.device))
    dense: Bias = Allowed((window | chosen[:, None, None]) & real.dense_mask[:, None, None])
    expected = Attention.attend(banded, *banded.project(x, AttentionCall()), AttentionCall(bias=dense))
    call = WindowCall(half=2, real=real, global_tokens=chosen)
    torch.testing.assert_close(banded(x, call)[mask.bool()], banded.merge(expected, call)[mask.bool()])


# Pooled queries between blocks


class PoolingStack(Stack):
    """Two blocks; the first layer of the second reads all states by half as many queries, the means of neighbours."""

    def __init__(self, first: Stack, second: Stack) -> None:
        super().__init__([])
        self.first = first
        self.second = second

    def forward(self, x: Tensor, call: StackCall) -> Tensor:
        x = self.first(x, call)
        own = call.self_attention
        assert isinstance(own, PoolingCall)
        pooled = own.real.dense_mask.view(len(x), -1, 2).any(-1)
        bias = RealTokens.of(pooled, pooled).keys
        second = replace(call, self_attention=replace(own, bias=bias, pooled=True), first=len(self.first.order))
        return self.second(x, second)


@dataclass(frozen=True)
class PoolingCall(AttentionCall):
    real: RealTokens = None  # type: ignore[assignment]  # always given
    pooled: bool = False


class PoolingLayer(nn.Module):
    """Attention of pooled queries to all states, and the pooled states as residual."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor, call: LayerCall) -> Tensor:
        own = call.self_attention
        assert isinstance(own, PoolingCall)
        real = own.real.dense_mask[..., None].to(x.dtype)
        sums, counts = (x * real).unflatten(1, (-1, 2)).sum(2), real.unflatten(1, (-1, 2)).sum(2)  # type: ignore[no-untyped-call]
        queries = sums / counts.clamp(min=1)
        return queries + self.attention(queries, replace(own, source=x, bias=own.real.keys))


def test_queries_are_pooled_between_blocks(x: Tensor) -> None:
    mask = torch.tensor([[1] * 8, [1, 1, 1, 1, 0, 0, 0, 0], [1] * 6 + [0, 0]])
    stack = PoolingStack(
        Stack([layer(attention())]), Stack([PoolingLayer(attention()), layer(attention())])
    ).eval()  # fmt: skip
    recorder = Recorder(hidden_states=[], attentions=[], head_mask=[torch.ones(1, H, 1, 1)] * 3)
    real = RealTokens.of(x, mask)
    pooled = stack(x, StackCall(PoolingCall(bias=real.keys, real=real), recorder=recorder))
    assert pooled.shape == (B, S // 2, D)
    reports = recorder.reports()
    assert [tuple(each.shape[-2:]) for each in reports["attentions"]] == [(8, 8), (4, 8), (4, 4)]
    assert [each.shape[1] for each in reports["hidden_states"]] == [8, 8, 8, 4, 4]
    alone = RealTokens.of(x[1:2, :4])
    short = stack(x[1:2, :4], StackCall(PoolingCall(real=alone)))
    torch.testing.assert_close(pooled[1:2, :2], short)


def test_a_part_of_a_stack_reads_the_memory_of_its_own_layers(x: Tensor) -> None:
    memory = Memory(tuple(torch.full((B, 2, D), float(number)) for number in range(3)))
    call = RecurrentCall(AttentionCall(), memory=memory, first=1)
    sources = [call.layer(step).self_attention.source for step in range(2)]
    assert [float(source.mean()) for source in sources] == [1.0, 2.0]


# A predicting stream, whose keys are not cached


class PredictingAttention(Attention):
    """Tokens ``(B, 2T, D)``: a text, and a stream that predicts from what came before each place and from itself."""

    def project(self, x: Tensor, call: AttentionCall) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().project(x, replace(call, cache=AttentionCall().cache))
        main, stream = key.chunk(2, dim=2), value.chunk(2, dim=2)
        keys, values = call.cache.append(main[0], stream[0])  # of the text alone
        return query, torch.cat((keys, main[1]), dim=2), torch.cat((values, stream[1]), dim=2)


def predicting_bias(length: int, past: int) -> Bias:
    text = torch.ones(length, past + length, dtype=torch.bool).tril(past)
    nothing, itself = torch.zeros(length, length, dtype=torch.bool), torch.eye(length, dtype=torch.bool)
    before = text.tril(past - 1)
    return Allowed(torch.cat((torch.cat((text, nothing), 1), torch.cat((before, itself), 1)))[None, None])


def test_a_predicting_streams_keys_are_not_cached(x: Tensor) -> None:
    stack = Stack([layer(attention(PredictingAttention)) for _ in range(2)]).eval()
    stream = torch.randn(1, 1, D).expand(B, S, D)
    whole = stack(torch.cat((x, stream), 1), StackCall(AttentionCall(bias=predicting_bias(S, 0))))
    cache, parts, past = stack.new_cache(), [], 0
    with torch.no_grad():
        for length in (4, 1, 3):
            both = torch.cat((x[:, past : past + length], stream[:, :length]), 1)
            parts.append(stack(both, StackCall(AttentionCall(bias=predicting_bias(length, past)), cache=cache)))
            past += length
    texts = torch.cat([part.chunk(2, 1)[0] for part in parts], 1)
    streams = torch.cat([part.chunk(2, 1)[1] for part in parts], 1)
    torch.testing.assert_close(torch.cat((texts, streams), 1), whole)


# A layer that caches something other than keys and values


class StatesCache:
    """Remembers the states that a layer has read."""

    knows_source = False

    def __init__(self) -> None:
        self.states: Tensor | None = None

    def append(self, x: Tensor) -> Tensor:
        self.states = x if self.states is None else torch.cat((self.states, x), dim=1)
        return self.states

    def select(self, rows: Tensor) -> None:
        assert self.states is not None
        self.states = self.states.index_select(0, rows)

    def select_sources(self, sources: Tensor) -> None:
        pass

    def crop(self, length: int) -> None:
        assert self.states is not None
        self.states = self.states[:, :length]


class RunningMean(nn.Module):
    """Adds the mean of all states so far, for which it remembers them."""

    def new_cache(self) -> StatesCache:
        return StatesCache()

    def forward(self, x: Tensor, call: LayerCall) -> Tensor:
        known = call.cache.append(x) if isinstance(call.cache, StatesCache) else x
        count = torch.arange(1, known.shape[1] + 1)[:, None]
        return x + (known.cumsum(1) / count)[:, -x.shape[1] :]


def mixed_backbone() -> TransformerBackbone:
    stack = Stack([layer(attention()), RunningMean(), layer(attention())])
    return TransformerBackbone(embeddings(), stack, causal=True, max_positions=S).eval()


def test_a_layer_caches_what_it_likes() -> None:
    backbone = mixed_backbone()
    ids = torch.randint(0, V, (B, S), generator=torch.Generator().manual_seed(3))
    whole = backbone(ids).last_hidden_state
    first = backbone(ids[:, :5], use_cache=True)
    cache: DecoderCache = first.past_key_values
    assert isinstance(cache.layers[1], StatesCache)
    rows = torch.tensor([2, 0, 0])
    cache.reorder(rows)
    rest = backbone(ids[rows, 5:], past_key_values=cache, use_cache=True).last_hidden_state
    torch.testing.assert_close(rest, whole[rows, 5:])
    cache.keep(torch.tensor([1, 1, 1]), of=3)
    again = backbone(ids[rows, 6:], past_key_values=cache, use_cache=True).last_hidden_state
    torch.testing.assert_close(again, whole[rows, 6:])


def test_rows_of_a_cache_are_a_cache_of_their_own() -> None:
    backbone = mixed_backbone()
    ids = torch.randint(0, V, (B, S), generator=torch.Generator().manual_seed(3))
    whole = backbone(ids).last_hidden_state
    cache: DecoderCache = backbone(ids[:, :5], use_cache=True).past_key_values
    for rows in (torch.tensor([2, 0]), torch.tensor([1])):
        rest = backbone(ids[rows, 5:], past_key_values=cache.of_rows(rows)).last_hidden_state
        torch.testing.assert_close(rest, whole[rows, 5:])
    rest = backbone(ids[:, 5:], past_key_values=cache).last_hidden_state
    torch.testing.assert_close(rest, whole[:, 5:])
    parts = [cache.of_rows(torch.tensor([row])) for row in range(B)]
    assert DecoderCache.joined(parts[:1]) is parts[0]
    assert DecoderCache.joined(parts) is None  # how states are joined is not known


def test_caches_of_different_lengths_are_joined() -> None:
    backbone = TransformerBackbone(embeddings(), Stack([layer(attention())]), causal=True, max_positions=S).eval()
    ids = torch.randint(0, V, (2, S), generator=torch.Generator().manual_seed(3))
    whole = backbone(ids).last_hidden_state
    for moved in (False, True):
        positions = {"position_ids": torch.arange(S)} if moved else {}
        parts = [
            backbone(
                ids[row : row + 1, : 3 + row],
                use_cache=True,
                **{name: each[: 3 + row] for name, each in positions.items()},
            ).past_key_values
            for row in range(2)
        ]
        joined = DecoderCache.joined(parts)
        assert joined is not None
        rest = backbone(torch.stack((ids[0, 3:6], ids[1, 4:7])), past_key_values=joined).last_hidden_state
        torch.testing.assert_close(rest, torch.stack((whole[0, 3:6], whole[1, 4:7])))


def test_a_stack_of_layers_that_remember_nothing_says_so() -> None:
    with pytest.raises(TypeError, match=r"Linear has no new_cache\(\)"):
        Stack([nn.Linear(1, 1)]).new_cache()


# Fewer heads for keys than for queries; positions that turn what the cache keeps


@pytest.mark.parametrize("kernel", [sdpa, eager])
def test_heads_share_their_keys(x: Tensor, kernel: AttentionKernel) -> None:
    grouped = Attention(FusedProjections(D, D, queries_per_key=2), nn.Linear(D, D), H).eval()
    plain = attention().eval()
    width = D // H
    with torch.no_grad():
        weight, bias = grouped.projections.qkv.weight, grouped.projections.qkv.bias
        of_keys = torch.arange(2 * width).view(2, width).repeat_interleave(2, 0).flatten()  # each for two heads
        rows = torch.cat((torch.arange(D), D + of_keys, D + 2 * width + of_keys))
        plain.projections.qkv.weight.copy_(weight[rows])
        plain.projections.qkv.bias.copy_(bias[rows])
        plain.out.load_state_dict(grouped.out.state_dict())
    call = AttentionCall(kernel=kernel, bias=Causal())
    torch.testing.assert_close(grouped(x, call), plain(x, call))


@pytest.mark.parametrize("neighbours", [False, True])
def test_rotary_positions_are_kept_by_the_cache(neighbours: bool) -> None:
    rotary = Attention(
        FusedProjections(D, D, queries_per_key=2),
        nn.Linear(D, D),
        H,
        encoding=Rotary(2, neighbours=neighbours),
    )
    token_embeddings = Embeddings(nn.Embedding(V, D))
    backbone = TransformerBackbone(token_embeddings, Stack([layer(rotary)]), causal=True).eval()
    ids = torch.randint(0, V, (B, S), generator=torch.Generator().manual_seed(4))
    whole = backbone(ids).last_hidden_state
    first = backbone(ids[:, :3], use_cache=True)
    rest = backbone(ids[:, 3:], past_key_values=first.past_key_values, use_cache=True)
    torch.testing.assert_close(torch.cat((first.last_hidden_state, rest.last_hidden_state), 1), whole)
    padded = torch.nn.functional.pad(ids[:1], (2, 0))
    shifted = backbone(padded, attention_mask=torch.tensor([[0] * 2 + [1] * S])).last_hidden_state
    torch.testing.assert_close(shifted[:, 2:], whole[:1])


@pytest.mark.parametrize("neighbours", [False, True])
def test_rotary_scores_depend_on_distance_alone(neighbours: bool) -> None:
    query, key = torch.randn(1, 1, 5, 8), torch.randn(1, 1, 5, 8)

    def scores(start: int) -> Tensor:
        positions = torch.arange(start, start + 5)[None]
        turned, keys, value = Rotary(8, neighbours=neighbours)(query, key, key, Geometry(positions, positions))
        assert value is key
        return turned @ keys.transpose(-1, -2)

    torch.testing.assert_close(scores(0), scores(7), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(scores(0), query @ key.transpose(-1, -2))


def test_rotary_angles_grow_as_the_frequencies_say() -> None:
    query = torch.randn(1, 1, 5, 8, generator=torch.Generator().manual_seed(5))
    positions = torch.arange(5)[None]

    def turned(rotary: Rotary, positions: Tensor) -> Tensor:
        return rotary(query, query, query, Geometry(positions, positions))[0]

    halved = Rotary(8, frequencies=lambda usual: usual / 2)
    torch.testing.assert_close(turned(halved, 2 * positions), turned(Rotary(8), positions))
    assert not torch.allclose(turned(halved, positions), turned(Rotary(8), positions))


# Every kernel shows its own weights


def sharp(
    query: Tensor, key: Tensor, value: Tensor, bias: Bias | None, *, scale: float, dropout: float,
    observer: Observer | None,
) -> Tensor:  # fmt: skip
    scores = query @ key.transpose(-1, -2) * 3.0
    weights = (scores if bias is None else scores + bias.dense(query, key)).softmax(-1)
    return (weights if observer is None else observer(weights)) @ value


def test_asking_for_attentions_does_not_change_the_kernel() -> None:
    backbone = mixed_backbone()
    ids = torch.randint(0, V, (B, S), generator=torch.Generator().manual_seed(5))
    for kernel in (sdpa, eager, sharp):
        plain = backbone(ids, attention=kernel).last_hidden_state
        observed = backbone(ids, attention=kernel, output_attentions=True)
        torch.testing.assert_close(observed.last_hidden_state, plain)
        torch.testing.assert_close(observed.attentions[0].sum(-1), torch.ones(B, H, S))


# Biases are values


def test_a_bias_that_was_made_without_gradients_is_made_again_for_them(x: Tensor) -> None:
    bias = Causal() + DenseBias(torch.zeros(1, H, S, S, requires_grad=True))
    with torch.no_grad():
        assert not bias.dense(x[:, None], x[:, None]).requires_grad
    assert bias.dense(x[:, None], x[:, None]).requires_grad


def test_biases_say_what_they_mean_until_they_are_made(x: Tensor, mask: Tensor) -> None:
    query = x.view(B, S, H, -1).transpose(1, 2)
    keys = RealTokens.of(x, mask).keys
    assert together((None, None)) is None
    bias = together((keys, Causal(), Window(2, None)))
    assert bias is not None
    numbers = bias.dense(query, query)
    assert numbers.shape == (B, 1, S, S)
    assert bias.dense(query, query) is numbers
    seen = numbers == 0
    rows, columns = torch.arange(S)[:, None], torch.arange(S)
    expected = (columns <= rows) & (rows - columns <= 2) & mask[:, None, None].bool()
    assert torch.equal(seen, expected)
    assert float(numbers.min()) == torch.finfo(torch.float32).min / 2, "hidden once, however many masks hide it"
    late = bias.dense(query[:, :, -2:], query)
    assert torch.equal(late == 0, expected[:, :, -2:])
