"""Attention among tokens of like hashes: time and memory linear in the length of a text (Kitaev et al. 2020, §2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn.attention import AttentionCall, Projections
from tfx_core.nn.bias import DenseBias, together
from tfx_core.nn.chunked import AlignedCall, Arrangement, ChunkedAttention, Chunking, self_last
from tfx_core.nn.kernels import AttentionKernel, sdpa
from tfx_core.nn.norms import at_least_float32
from tfx_core.nn.real_tokens import can_read

_SEED = 0
"""Of the rotations outside of training where no seed is given: results can be had again."""

_PADDING, _NOTHING = 2**39, 2**62
"""Numbers of buckets beyond all others, for a row's padding and for what another row alone has need of."""


@dataclass(frozen=True)
class Hashing:
    """How vectors are hashed: each of ``rounds`` rounds rotates them at random, and takes the axis that is nearest.

    ``factors`` are even numbers, whose product is the number of buckets; ``None`` takes as many as `chosen` says.
    Hashes are the same for every row and every call with a ``seed``, and outside of training without one.
    """

    factors: tuple[int, ...] | None = None
    rounds: int = 1
    seed: int | None = None
    most: int | None = None
    """Buckets beyond which `chosen` takes two factors; by default twice the chunk's length."""

    def __post_init__(self) -> None:
        """Raise `InputError` for numbers that no hash can have."""
        if self.rounds < 1:
            raise InputError(f"rounds: {self.rounds} is too few; must be at least 1")
        odd = [factor for factor in self.factors or () if factor < 2 or factor % 2]
        if odd or self.factors == ():
            raise InputError(f"factors: {self.factors} must be even numbers: half of the hashes are opposites")

    def chosen(self, chunks: int, length: int) -> tuple[int, ...]:
        """The factors for a text of so many chunks of this length: about two buckets for each."""
        if self.factors is not None:
            return self.factors
        power = (2 * chunks).bit_length() - 1
        if 2**power <= (2 * length if self.most is None else self.most):
            return (2**power,)
        return 2 ** (power // 2), 2 ** (power - power // 2)

    def drawn_seed(self, *, training: bool) -> int:
        """The seed of one call; while training without one of its own, it is drawn from torch's generator."""
        if self.seed is None and training:
            return int(torch.randint(2**31, ()))
        return _SEED if self.seed is None else self.seed

    def buckets(self, vectors: Tensor, factors: Sequence[int], seed: int) -> Tensor:
        """Vectors ``(B, H, L, d)`` -> the number of the bucket of each in each round, ``(B, H, R, L)``.

        The rotations are ``(H, d, R, sum of factors / 2)`` normal numbers of a generator with this seed, as in the
        reference, but on the CPU wherever the vectors are: results do not depend on the device.
        """
        vectors = at_least_float32(vectors.detach())
        shape = vectors.shape[1], vectors.shape[3], self.rounds, sum(factors) // 2
        rotations = _numbers(shape, seed, vectors.dtype).to(vectors.device)
        with torch.autocast(vectors.device.type, enabled=False):
            rotated = torch.einsum("bhld,hdrn->bhrln", vectors, rotations)
        parts = torch.split(rotated, [factor // 2 for factor in factors], dim=-1)
        digits = [torch.cat((part, -part), dim=-1).argmax(-1) for part in parts]  # of a number, the smallest first
        return sum((digit * prod(factors[:place]) for place, digit in enumerate(digits)), torch.zeros_like(digits[0]))


def _numbers(shape: tuple[int, ...], seed: int, dtype: torch.dtype) -> Tensor:
    if torch.compiler.is_compiling():
        from tfx_core.nn.constants import normal_numbers as constants  # here, for it imports the compiler

        return constants(shape, seed, dtype)
    return normal_numbers(shape, seed, dtype)


def normal_numbers(shape: tuple[int, ...], seed: int, dtype: torch.dtype) -> Tensor:
    """Normal numbers of a generator with this seed."""
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    traced = torch._C._get_tracing_state() is not None  # torch.jit.trace would draw others each time
    return torch.from_numpy(numbers.numpy()) if traced else numbers


@dataclass
class BucketNotes:
    """The buckets that a call has found: computed again, with numbers that differ in their last bits, it takes them."""

    noted: Tensor | None = None

    def taken(self, found: Callable[[], Tensor]) -> Tensor:
        """The buckets, found once and kept in half of the memory that numbers take by default."""
        if self.noted is None:
            self.noted = found().int()
        return self.noted.long()


@dataclass(frozen=True)
class HashedCall(AlignedCall):
    """A call that says how often to hash, and that may be computed again."""

    rounds: int | None = None
    """Rounds of hashing, where not as many as each layer has."""
    notes: BucketNotes | None = None


class SharedProjections(Projections):
    """One matrix for queries and keys, which hashing asks for (§2), and one for values."""

    def __init__(self, hidden_size: int, width: int, *, bias: bool = False) -> None:
        super().__init__()
        self.query_key = nn.Linear(hidden_size, width, bias=bias)
        self.value = nn.Linear(hidden_size, width, bias=bias)

    def forward(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """``(…, D) -> 3 × (…, H·d)``, of which the first two are one; keys are not yet `normalised`."""
        query_key = self.query_key(x)
        return query_key, query_key, self.value(x)

    def query(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, H·d)``."""
        query: Tensor = self.query_key(x)
        return query


class HashedAttention(ChunkedAttention):
    """Attention of each token to those that share its hash: LSH attention (Kitaev et al. 2020, §2).

    The tokens are sorted by their buckets and then cut in chunks, see `ChunkedAttention`; a text of one chunk is not
    hashed. Queries are keys, but for the keys' length, so a token sees itself only where it sees nothing else.
    """

    def __init__(
        self,
        hashing: Hashing,
        chunking: Chunking,
        projections: SharedProjections,
        out: nn.Linear,
        heads: int,
        *,
        scale: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(chunking, projections, out, heads, scale=scale, dropout=dropout)
        self.hashing = hashing

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        """Queries, keys as they were projected and values ``(B, H, L, d) -> (B, H, L, d)``."""
        return super().attend(query, normalised(key), value, call)

    def unchunked(self, query: Tensor, call: AttentionCall) -> AttentionCall:
        """The call with what keeps a token from itself."""
        itself = torch.eye(query.shape[2], dtype=query.dtype, device=query.device) * self_last(query.dtype)
        return replace(call, bias=together((call.bias, DenseBias(itself))))

    def hashing_of(self, call: HashedCall) -> Hashing:
        """The hashing, in as many rounds as the call says."""
        return self.hashing if call.rounds is None else replace(self.hashing, rounds=call.rounds)

    def arrange(self, query: Tensor, call: AttentionCall) -> Arrangement:
        """Where the tokens stand when they are sorted by their buckets."""
        assert isinstance(call, HashedCall)
        hashing = self.hashing_of(call)
        seed = hashing.drawn_seed(training=self.training)
        notes = BucketNotes() if call.notes is None else call.notes
        buckets = notes.taken(lambda: row_buckets(hashing, self.chunking, query, call.lengths, seed))
        return sorted_by(buckets, self.chunking, call.lengths, causal=call.causal)


def hashed_attention(
    query_key: Tensor,
    value: Tensor,
    hashing: Hashing,
    chunking: Chunking,
    *,
    lengths: Tensor | None = None,
    causal: bool = False,
    kernel: AttentionKernel = sdpa,
    dropout: float = 0.0,
) -> Tensor:
    """What `HashedAttention` computes between its projections: ``(B, H, L, d)``, values likewise -> ``(B, H, L, d)``.

    Row ``i`` has ``lengths[i]`` tokens and then padding; all have ``L`` without them.
    """
    buckets = row_buckets(hashing, chunking, query_key, lengths, hashing.drawn_seed(training=False))
    arrangement = sorted_by(buckets, chunking, lengths, causal=causal)
    scale = query_key.shape[-1] ** -0.5
    return arrangement.attend(query_key, normalised(query_key), value, kernel, scale=scale, dropout=dropout)


def normalised(query_key: Tensor) -> Tensor:
    """Keys of what are queries, too, ``(…, d)``: of root mean square 1."""
    return F.rms_norm(query_key, query_key.shape[-1:], eps=1e-6)


def row_buckets(hashing: Hashing, chunking: Chunking, vectors: Tensor, lengths: Tensor | None, seed: int) -> Tensor:
    """`Hashing.buckets` with as many buckets for each row as for it alone, ``(B, H, R, L)``."""
    most = chunking.count(vectors.shape[2])
    if lengths is None:
        return hashing.buckets(vectors, hashing.chosen(most, chunking.length), seed)
    counts = chunking.counts(lengths)
    found = torch.zeros((), dtype=torch.long, device=vectors.device)
    for factors, chunks in _choices(hashing, chunking, counts, most).items():
        rows = torch.isin(counts, torch.tensor(chunks, device=counts.device))[:, None, None, None]
        found = torch.where(rows, hashing.buckets(vectors, factors, seed), found)
    return found.expand(*vectors.shape[:2], hashing.rounds, vectors.shape[2])


def _choices(hashing: Hashing, chunking: Chunking, counts: Tensor, most: int) -> dict[tuple[int, ...], list[int]]:
    """Factors -> the numbers of chunks of the rows that they are for."""
    choices: dict[tuple[int, ...], list[int]] = {}
    for chunks in sorted({*counts.tolist()}) if can_read(counts) else range(2, most + 1):
        if chunks > 1:
            choices.setdefault(hashing.chosen(chunks, chunking.length), []).append(chunks)
    return choices


def sorted_by(
    buckets: Tensor, chunking: Chunking, lengths: Tensor | None = None, *, causal: bool = False
) -> Arrangement:
    """The arrangement of tokens by their buckets ``(B, H, R, L)``, and in each in the order of the text."""
    rounds, length = buckets.shape[2:]
    most = chunking.count(length) * chunking.length  # Q
    lengths = torch.full((1,), length, device=buckets.device) if lengths is None else lengths
    counts = chunking.counts(lengths)  # (B,)
    columns = torch.arange(most, device=buckets.device)
    numbers = F.pad(buckets, (0, most - length))  # (B, H, R, Q)
    numbers = numbers.where(columns < lengths[:, None, None, None], _PADDING)
    numbers = numbers + torch.arange(rounds, device=buckets.device)[:, None] * (2 * _PADDING)
    numbers = numbers.where(columns < (counts * chunking.length)[:, None, None, None], _NOTHING)
    order = numbers.flatten(2).argsort(dim=-1, stable=True)  # (B, H, R·Q)
    slots = order.argsort(dim=-1).view(*order.shape[:2], rounds, most)
    return Arrangement(
        chunking,
        columns=order % most,
        slots=slots[..., :length],
        counts=counts * rounds,
        lengths=lengths,
        causal=causal,
        self_last=True,
    )
