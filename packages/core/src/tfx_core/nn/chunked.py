"""Attention among chunks of a text, in the text's order or in another one: time and memory linear in its length."""

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn.attention import Attention, AttentionCall, Projections
from tfx_core.nn.bias import Bias, DenseBias, Mask, Scores, additive
from tfx_core.nn.kernels import AttentionKernel, eager, sdpa
from tfx_core.nn.layout import PADDED, Layout
from tfx_core.nn.norms import at_least_float32
from tfx_core.nn.observer import Observer


@dataclass(frozen=True)
class Chunking:
    """Tokens are cut into chunks of ``length``: each sees its own, ``before`` ones before it and ``after`` ones after.

    A text of more than ``shortest`` tokens counts as padded to a multiple of ``multiple``, which is one of ``length``;
    both are ``length`` where they are not given. With ``around`` the last chunk comes before the first one.
    """

    length: int
    before: int
    after: int
    around: bool = True
    multiple: int | None = None
    shortest: int | None = None

    def __post_init__(self) -> None:
        """Raise `InputError` for numbers that make no chunks."""
        if self.length < 1 or self.before < 0 or self.after < 0:
            raise InputError(f"{self}: length must be at least 1, before and after at least 0")
        if self._multiple % self.length:
            raise InputError(f"{self}: multiple must be a multiple of length")

    @property
    def shifts(self) -> range:
        """From a chunk to those that it sees."""
        return range(-self.before, self.after + 1)

    def count(self, tokens: int) -> int:
        """Chunks of a text of so many tokens."""
        padding = -tokens % self._multiple if tokens > self._shortest else 0
        return max(-(-(tokens + padding) // self.length), 1)

    def counts(self, tokens: Tensor) -> Tensor:
        """`count` of each of several texts."""
        padding = (-tokens % self._multiple).where(tokens > self._shortest, 0)
        return ((tokens + padding + self.length - 1) // self.length).clamp(min=1)

    @property
    def _multiple(self) -> int:
        return self.length if self.multiple is None else self.multiple

    @property
    def _shortest(self) -> int:
        return self.length if self.shortest is None else self.shortest

    def seen(self, chunks: Tensor, shift: int, counts: Tensor) -> Tensor:
        """The chunk that each sees there, of ``counts`` in all; -1 for none.

        What is as far away as there are chunks is the chunk itself once more, as in the released code.
        """
        there = chunks + shift
        if not self.around:
            return there.where((there >= 0) & (there < counts), -1)
        return (there % counts).where(abs(shift) < counts, chunks)


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Where the ``L`` tokens of each row stand, once in each of ``R`` rounds, in ``C`` chunks of ``l`` slots.

    Rows may differ in length, and each is arranged as it would be alone; slots that it has no need of hold padding.
    """

    chunking: Chunking
    columns: Tensor
    """``(B|1, H|1, C·l)``: the number of the token in each slot, padding's numbers from the row's length on."""
    slots: Tensor
    """``(B|1, H|1, R, L)``: the slot of each token in each round."""
    counts: Tensor
    """``(B|1,)``: chunks that each row has in all rounds."""
    lengths: Tensor
    """``(B|1,)``: tokens that each row has."""
    causal: bool = False
    self_last: bool = False
    """Whether a token sees itself only where it sees nothing else, as it must where queries are keys."""

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, kernel: AttentionKernel, *, scale: float, dropout: float = 0.0
    ) -> Tensor:
        """Queries, keys and values ``(B, H, L, d) -> (B, H, L, d)``.

        Each round is weighed by what it has found (Kitaev et al. 2020, appendix A).
        """
        query, key, value = self.chunked(query), self.seen(self.chunked(key)), self.seen(self.chunked(value))
        bias = self.bias(query.dtype)  # (B|1, H|1, C, l, k·l)
        if self.slots.shape[2] > 1 and kernel in (sdpa, eager):
            context, found = _attended(query, key, value, bias, scale, dropout)
        else:
            context = _by_kernel(kernel, query, key, value, bias, scale, dropout)
            if self.slots.shape[2] == 1:
                return self.restored(context)[:, :, 0]
            found = (query @ key.transpose(-1, -2) * scale + bias).logsumexp(-1)  # (B, H, C, l)
        weights = self.restored(found).softmax(2)  # (B, H, R, L)
        return (weights.to(value.dtype)[..., None] * self.restored(context)).sum(2)

    def chunked(self, x: Tensor) -> Tensor:
        """``(B, H, L, d) -> (B, H, C, l, d)``."""
        x = F.pad(x, (0, 0, 0, self.tokens - x.shape[2]))  # (B, H, Q, d)
        columns = self.columns.expand(*x.shape[:2], -1)
        return self._in_chunks(_gather(x, columns))

    @property
    def tokens(self) -> int:
        """``Q``: tokens of a row in a round, padding included."""
        return self.columns.shape[2] // self.slots.shape[2]

    def seen(self, chunks: Tensor) -> Tensor:
        """What each chunk sees of ``(B, H, C, l, …)``: ``(B, H, C, k·l, …)``."""
        return torch.cat([self._there(chunks, shift) for shift in self.chunking.shifts], dim=3)

    def bias(self, dtype: torch.dtype) -> Tensor:
        """Of the scores of the slots of each chunk with those that it sees, ``(B|1, H|1, C, l, k·l)``."""
        own = self._in_chunks(self.columns)
        keys = torch.cat([self._hidden(self._there(own, shift), shift) for shift in self.chunking.shifts], dim=3)
        own, keys = own[..., :, None], keys[..., None, :]
        seen = keys < self.lengths[:, None, None, None, None]
        seen = seen & (keys <= own) if self.causal else seen.expand(*seen.shape[:3], own.shape[3], -1)
        bias = additive(seen, dtype)
        return bias.masked_fill(seen & (keys == own), self_last(dtype)) if self.self_last else bias

    def restored(self, x: Tensor) -> Tensor:
        """``(B, H, C, l, …) -> (B, H, R, L, …)``: what each token has in each round."""
        x = x.flatten(2, 3)
        slots = self.slots.flatten(2).expand(*x.shape[:2], -1)
        return _gather(x, slots).view(*x.shape[:2], *self.slots.shape[2:], *x.shape[3:])

    def times(self) -> Tensor:
        """How many times each token meets each other, in all rounds, ``(B|1, H|1, L, L)``: for reports and pictures."""
        chunks = self.slots // self.chunking.length  # (B, H, R, L)
        counts = self.counts[:, None, None, None]
        times = torch.zeros((), dtype=torch.long, device=chunks.device)
        for shift in self.chunking.shifts:
            there = self.chunking.seen(chunks, shift, counts)
            for one in there.unbind(2):
                times = times + sum(one[..., :, None] == each[..., None, :] for each in chunks.unbind(2))
        return times

    def met(self) -> Tensor:
        """Which keys each token may meet at all, ``(B|1, 1, L, L)``: those of the text, and none that follow."""
        columns = torch.arange(self.slots.shape[3], device=self.slots.device)
        real = (columns < self.lengths[:, None])[:, None, None]  # (B, 1, 1, L)
        return real & (columns <= columns[:, None]) if self.causal else real

    def _there(self, chunks: Tensor, shift: int) -> Tensor:
        """For each chunk of ``(B, H, C, …)`` the one that it sees; any where there is none."""
        if shift == 0:
            return chunks
        index = self._index(shift).clamp(min=0)  # (B|1, 1, C)
        chunks = chunks.expand(max(len(chunks), len(index)), *chunks.shape[1:])
        return _gather(chunks, index.expand(*chunks.shape[:2], -1))

    def _hidden(self, columns: Tensor, shift: int) -> Tensor:
        """The columns ``(B, H, C, l)`` of what chunks see, which are no token's where there is nothing to see."""
        return columns.where((self._index(shift) >= 0)[..., None], self.tokens)

    def _index(self, shift: int) -> Tensor:
        """The chunk that each sees, ``(B|1, 1, C)``; -1 for none."""
        chunks = torch.arange(self.columns.shape[2] // self.chunking.length, device=self.columns.device)
        counts = self.counts[:, None, None]
        return self.chunking.seen(chunks.expand(len(counts), 1, -1), shift, counts)

    def _in_chunks(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], -1, self.chunking.length, *x.shape[3:])


def _by_kernel(
    kernel: AttentionKernel, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float, dropout: float
) -> Tensor:
    """Queries ``(B, H, C, l, d)``, keys and values ``(B, H, C, k·l, d) -> (B, H, C, l, d)``: chunks are more heads."""
    of_heads = DenseBias(bias.expand(*query.shape[:2], -1, -1, -1).flatten(1, 2))
    parts = query.flatten(1, 2), key.flatten(1, 2), value.flatten(1, 2)
    return kernel(*parts, of_heads, scale=scale, dropout=dropout, observer=None).view(*query.shape[:4], -1)


def _attended(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float, dropout: float
) -> tuple[Tensor, Tensor]:
    """What the default kernels compute, and the logarithm of the sums that they divide by, which they keep."""
    scores = query @ key.transpose(-1, -2) * scale + bias  # (B, H, C, l, k·l)
    # without the greatest, which may be so far down that float32 holds no fractions beside it
    greatest = scores.detach().amax(-1, keepdim=True)
    weights = (scores - greatest).exp()
    sums = at_least_float32(weights).sum(-1, keepdim=True)
    context = F.dropout(weights, dropout, training=dropout > 0) @ value / sums.to(value.dtype)
    return context, (greatest + sums.log()).squeeze(-1)


def _gather(x: Tensor, index: Tensor) -> Tensor:
    """``(B, H, N, …)`` at ``(B, H, M)`` -> ``(B, H, M, …)``."""
    rows = torch.arange(x.shape[0] * x.shape[1], device=x.device).view(*x.shape[:2], 1) * x.shape[2]
    return x.flatten(0, 2).index_select(0, (rows + index).flatten()).view(*index.shape, *x.shape[3:])


def self_last(dtype: torch.dtype) -> float:
    """What is added to a token's score with itself where it may attend to itself only if it sees nothing else.

    Far less than any score, and far more than what hides.
    """
    return -1e3 if dtype == torch.float16 else -1e5


@dataclass(frozen=True)
class AlignedCall(AttentionCall):
    """A call whose layout aligns rows, see `tfx_core.nn.RealTokens.aligned`, for attention that cuts them in chunks."""

    lengths: Tensor | None = None
    """``(B,)``: tokens of each row; ``None`` where all have as many as there are columns."""
    causal: bool = False
    """Whether tokens see none that follow."""


class ChunkedAttention(Attention):
    """Attention in which each token sees its own chunk and neighbours of that (Kitaev et al. 2020, the released code).

    Time and memory are linear in the length of the text. Whatever padding there is, each row is computed as it is
    alone. What is reported, and what heads are masked in, are the weights ``(B, H, L, L)`` among all tokens, which
    takes the time and memory of full attention.
    """

    def __init__(
        self,
        chunking: Chunking,
        projections: Projections,
        out: nn.Linear,
        heads: int,
        *,
        scale: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(projections, out, heads, scale=scale, dropout=dropout)
        self.chunking = chunking

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        """Queries, keys and values ``(B, H, L, d) -> (B, H, L, d)``."""
        if call.observer is not None:
            call = replace(call, observer=TextObserver.of(call.observer, call.layout))
        if self.chunking.count(query.shape[2]) == 1:
            return super().attend(query, key, value, self.unchunked(query, call))
        arrangement = self.arrange(query, call)
        if call.observer is not None:
            return super().attend(query, key, value, replace(call, bias=ArrangedBias(arrangement)))
        return arrangement.attend(
            query, key, value, call.kernel, scale=self.scale, dropout=self.dropout if self.training else 0.0
        )

    def unchunked(self, query: Tensor, call: AttentionCall) -> AttentionCall:
        """The call where the text is so short that each token sees all of it."""
        return call

    def arrange(self, query: Tensor, call: AttentionCall) -> Arrangement:
        """Where the tokens of queries ``(B, H, L, d)`` stand: in the order of the text."""
        assert isinstance(call, AlignedCall)
        return in_order(self.chunking, query, call.lengths, causal=call.causal)


def in_order(chunking: Chunking, tokens: Tensor, lengths: Tensor | None = None, *, causal: bool = False) -> Arrangement:
    """The arrangement of ``(B, H, L, …)`` in one round in the order of the text."""
    length = tokens.shape[2]
    lengths = torch.full((1,), length, device=tokens.device) if lengths is None else lengths
    columns = torch.arange(chunking.count(length) * chunking.length, device=tokens.device)
    return Arrangement(
        chunking,
        columns=columns[None, None],
        slots=columns[None, None, None, :length],
        counts=chunking.counts(lengths),
        lengths=lengths,
        causal=causal,
    )


@dataclass(eq=False)
class ArrangedBias(Bias):
    """An arrangement as a bias of the scores of all pairs of tokens: with it, full attention gives the same.

    A key that is met several times has its weight several times: the logarithm of that is added to its scores.
    """

    arrangement: Arrangement

    def make(self, scores: Scores) -> Tensor:
        """``(B|1, H|1, L, L)``."""
        own = self.arrangement
        times = own.times().where(own.met(), 0)
        bias = times.clamp(min=1).to(scores.dtype).log() + additive(times > 0, scores.dtype)
        if not own.self_last:
            return bias
        itself = torch.eye(scores.queries, dtype=torch.bool, device=scores.device) & (times > 0)
        return bias.masked_fill(itself, self_last(scores.dtype))


@dataclass(eq=False)
class Met(Mask):
    """The pairs of tokens that meet in an arrangement: for pictures of what is computed."""

    arrangement: Arrangement

    def allowed(self, scores: Scores) -> Tensor:
        """Boolean ``(B|1, H|1, L, L)``."""
        return (self.arrangement.times() > 0) & self.arrangement.met()


@dataclass
class TextObserver(Observer):
    """Shows another observer the weights of aligned rows in the columns of the text."""

    shown: Observer = field(kw_only=True)
    layout: Layout = field(kw_only=True)

    @classmethod
    def of(cls, shown: Observer, layout: Layout) -> Observer:
        """The observer for weights in a layout."""
        return shown if layout is PADDED else cls(shown=shown, layout=layout)

    def __call__(self, weights: Tensor) -> Tensor:
        """``(B, H, L, L)``, shown as ``(B, H, T, T)``, zeros for padding."""
        self.used = True
        shown = self.shown(self._unaligned(self._unaligned(weights)))
        return self._aligned(self._aligned(shown))

    def _unaligned(self, weights: Tensor) -> Tensor:
        """``(B, H, L, N) -> (B, H, N, T)``."""
        text = self.layout.unpack(self.layout.merge(weights))  # (B, T, H·N)
        return text.view(*text.shape[:2], weights.shape[1], -1).permute(0, 2, 3, 1)

    def _aligned(self, weights: Tensor) -> Tensor:
        """``(B, H, T, N) -> (B, H, N, L)``."""
        text = weights.transpose(1, 2).flatten(2)  # (B, T, H·N)
        return self.layout.split(self.layout.pack(text), weights.shape[1]).transpose(2, 3)
