"""The search: the nearest by Hamming distance, and of these the best by inner product."""

import numpy as np
from numpy.typing import NDArray

from tfx_core.embedding import Allowed, RowNumbers, Vectors

_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)
"""How many bits of a byte are set."""

_BLOCK = 1 << 16
"""Passages that a query is compared with together."""


def signs(vectors: Vectors) -> NDArray[np.uint8]:
    """``(N, D)`` -> ``(N, ⌈D / 8⌉)``: a bit for each number, set where it is above 0."""
    return np.packbits(vectors > 0, axis=1)


class BinaryVectors:
    """Vectors as signs and as numbers of 8 bits: a `tfx_core.embedding.VectorIndex`.

    It changes nothing that it has, so that threads can share it.
    """

    def __init__(
        self, all_signs: NDArray[np.uint8], numbers: NDArray[np.int8], lengths: Vectors, oversampling: int
    ) -> None:
        self._signs = all_signs
        self._numbers = numbers
        self._lengths = lengths
        self._oversampling = oversampling

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        """The best rows of those that are allowed, ``(Q, k)`` scores and rows; -inf and -1 where there are no more."""
        scores = np.full((len(queries), k), -np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        among = np.arange(len(self._signs)) if allowed is None else np.flatnonzero(allowed)
        for number, (query, code) in enumerate(zip(queries, signs(queries), strict=True)):
            near = self._nearest(code, among, k * self._oversampling)
            worth = self.vectors(near) @ query  # (n,)
            order = np.lexsort((near, -worth))[:k]  # rows of equal score in ascending order
            scores[number, : len(order)], rows[number, : len(order)] = worth[order], near[order]
        return scores, rows

    def vectors(self, rows: RowNumbers) -> Vectors:
        """The vectors of these rows ``(n, D)``, each number off by at most 1/254 of the vector's greatest."""
        return self._numbers[rows].astype(np.float32) * self._lengths[rows, None]

    def _nearest(self, code: NDArray[np.uint8], among: RowNumbers, count: int) -> RowNumbers:
        """Those rows of ``among``, ascending, whose signs differ least from a query's ``(⌈D / 8⌉,)``."""
        if count >= len(among):
            return among
        blocks = (among[first : first + _BLOCK] for first in range(0, len(among), _BLOCK))
        distances = np.concatenate([_ONES[self._signs[rows] ^ code].sum(axis=1, dtype=np.int64) for rows in blocks])
        return among[np.argsort(distances, kind="stable")[:count]]
