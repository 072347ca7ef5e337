"""The flat index: every vector as it is, in a plain ``.npy`` file, mapped into memory and searched whole by FAISS.

The answer is exact. FAISS computes on the mapped array and never parses a file, so an index folder from elsewhere
cannot reach its C++ readers; numpy reads the file without pickle, and so can any other program.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tfx_core.embedding import Allowed, RowNumbers, VectorKind, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval.arrays import are_searchable, open_array

VECTORS = "vectors.npy"

_PIECE = 1 << 14
"""Vectors that are copied together."""


class FlatVectors:
    """Exact search by inner product over vectors in a `numpy.memmap`; see `tfx_core.embedding.VectorIndex`."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        """Find the rows of highest inner product, (Q, k) scores and rows."""
        scores = np.full((len(queries), k), -np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        candidates = None if allowed is None else np.flatnonzero(allowed)
        found = min(k, len(self._vectors) if candidates is None else len(candidates))
        if found and len(queries):
            scores[:, :found], rows[:, :found] = self._best(queries, found, candidates)
        return scores, rows

    def vectors(self, rows: RowNumbers) -> Vectors:
        """Return a copy of the vectors of these rows, (len(rows), D)."""
        return np.asarray(self._vectors[rows])

    def _best(self, queries: Vectors, k: int, candidates: RowNumbers | None) -> tuple[Vectors, RowNumbers]:
        if candidates is None:
            return _nearest(queries, self._vectors, k)
        return _merged(
            [
                _nearest_of(queries, self._vectors, candidates[first : first + _PIECE], k)
                for first in range(0, len(candidates), _PIECE)
            ],
            k,
        )


class FlatKind(VectorKind):
    """Keeps `FlatVectors` in a folder."""

    keeps_vectors = True

    def write(
        self,
        folder: Path,
        vectors: Vectors,
        *,
        options: Mapping[str, str],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Copy the vectors, a piece at a time."""
        self.check(options)
        with (folder / VECTORS).open("xb") as stream:
            np.lib.format.write_array_header_1_0(
                stream, {"descr": "<f4", "fortran_order": False, "shape": vectors.shape}
            )
            for first in range(0, len(vectors), _PIECE):
                piece = vectors[first : first + _PIECE]
                stream.write(np.ascontiguousarray(piece, dtype="<f4").data)
                if progress is not None:
                    progress(len(piece))

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> FlatVectors:
        """Map the file into memory."""
        self.check(options)
        path = folder / VECTORS
        vectors = open_array(path, "<f4", (count, dimension))
        if not are_searchable(vectors):
            raise PassageIndexError(f"{path}: holds nan or inf, or its squares do; build the index again")
        return FlatVectors(vectors)

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse any option."""
        if options:
            raise InputError(f"index option {next(iter(options))!r}: a flat index has no options")


KIND = FlatKind()
"""Target of the index name ``flat``."""


def _nearest(queries: Vectors, vectors: Vectors, k: int) -> tuple[Vectors, RowNumbers]:
    import faiss  # a second of import time that only a search needs

    scores, rows = faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)  # (Q, D), (N, D) -> (Q, k)
    return in_order(scores, rows, k)


def _nearest_of(queries: Vectors, vectors: Vectors, candidates: RowNumbers, k: int) -> tuple[Vectors, RowNumbers]:
    """The best of some rows, which are copied: (Q, min(k, len(candidates)))."""
    scores, found = _nearest(queries, np.ascontiguousarray(vectors[candidates]), min(k, len(candidates)))
    return scores, candidates[found]


def _merged(parts: list[tuple[Vectors, RowNumbers]], k: int) -> tuple[Vectors, RowNumbers]:
    scores, rows = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    return in_order(scores, rows, k)


def in_order(scores: Vectors, rows: RowNumbers, k: int) -> tuple[Vectors, RowNumbers]:
    """The ``k`` best of what was found, (Q, n) -> (Q, min(k, n)): the highest score first, then the lowest row."""
    order = np.lexsort((rows, -scores))[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
