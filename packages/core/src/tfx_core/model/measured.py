"""What can be measured and drawn: all that ``attention=`` takes, and attention by hashes, whose queries are keys."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.fields import Count, Size, checked
from tfx_core.model.attentions import AttentionChoice, kernel_of, made, parsed
from tfx_core.nn import (
    AttentionKernel,
    Bias,
    Chunking,
    Hashing,
    Met,
    Observer,
    hashed_attention,
    row_buckets,
    sorted_by,
)
from tfx_core.plugins import AttentionSpec

_WIDTH = 16
"""Of the vectors that are hashed for a picture."""


@dataclass(frozen=True)
class Hashed:
    """`tfx_core.nn.hashed_attention` in a kernel's place; models whose keys are not their queries cannot have it."""

    hashing: Hashing
    chunking: Chunking

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Bias | None,
        *,
        scale: float,
        dropout: float,
        observer: Observer | None,
    ) -> Tensor:
        """Attention of the queries to themselves."""
        return hashed_attention(query, value, self.hashing, self._chunking(query.shape[2]), dropout=dropout)

    def among(self, length: int) -> Met:
        """Who sees whom among so many random vectors, always the same ones."""
        vectors = torch.randn(1, 1, length, _WIDTH, generator=torch.Generator().manual_seed(0))
        chunking = self._chunking(length)
        buckets = row_buckets(self.hashing, chunking, vectors, None, 0)
        return Met(sorted_by(buckets, chunking))

    def _chunking(self, length: int) -> Chunking:
        """Without the room that a text has no need of: all of it is in one chunk, then."""
        return replace(self.chunking, length=min(self.chunking.length, length))


def lsh(chunk: int = 64, *, rounds: int = 1, buckets: int | None = None, before: int = 1, after: int = 0) -> Hashed:
    """``lsh(64, rounds=2)``: tokens sorted by their hashes, then chunks of 64; each round hashes anew."""
    sizes = {"chunk": chunk, "rounds": rounds, **({} if buckets is None else {"buckets": buckets})}
    for name, size in sizes.items():
        checked(size, Size, f"lsh: {name}", InputError)
    if buckets is not None and buckets % 2:
        raise InputError(f"lsh: buckets is {buckets}; must be even, for each rotation gives two")
    for name, size in {"before": before, "after": after}.items():
        checked(size, Count, f"lsh: {name}", InputError)
    factors = None if buckets is None else (buckets,)
    return Hashed(Hashing(factors, rounds), Chunking(chunk, before, after))


_LSH = AttentionSpec("lsh", target=f"{__name__}:lsh", example="lsh(64, rounds=2)")


def measurable(attention: AttentionChoice) -> AttentionKernel:
    """The kernel of what a model takes as ``attention=``, or of ``"lsh(…)"``; raises what `kernel_of` does."""
    if isinstance(attention, str):
        name, arguments = parsed(attention)
        if name == _LSH.name:
            hashed = made(attention, _LSH, lsh, *(arguments or ([], {})))
            assert isinstance(hashed, Hashed)
            return hashed
    return kernel_of(attention)
