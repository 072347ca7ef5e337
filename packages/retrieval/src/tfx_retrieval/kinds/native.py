"""Objects of FAISS over arrays of ours, and what all kinds of approximate search have in common."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from tfx_core.embedding import Allowed, RowNumbers, Vectors
from tfx_core.errors import PassageIndexError
from tfx_retrieval.arrays import are_searchable, open_array
from tfx_retrieval.flat import in_order

Found: TypeAlias = tuple[Vectors, RowNumbers]
"""Scores and rows, (Q, k) each."""

Attempt: TypeAlias = Callable[[Vectors, int], Found]
"""A search for the k best, which may find fewer: row -1."""

Progress: TypeAlias = Callable[[int], object]
"""Called with the number of vectors that were dealt with since its last call."""

BLOCK = 1 << 14
"""Vectors that are held together."""


def view(vector: Any, array: NDArray[Any]) -> None:
    """Let a vector of FAISS be an array, which it does not copy and which must outlive it."""
    pointer = faiss.swig_ptr(array.reshape(-1))
    vector.is_owned = False
    vector.view_data = vector.c_ptr = pointer
    vector.view_size = vector.c_size = array.size


def as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of a contiguous array, (n,)."""
    return array.reshape(-1).view(np.uint8)


def selector(allowed: Allowed | None) -> Any:
    """What FAISS asks whether a row may be found."""
    return None if allowed is None else faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def number_allowed(allowed: Allowed | None, count: int) -> int:
    """How many of ``count`` rows may be found."""
    return count if allowed is None else int(np.count_nonzero(allowed))


def first_complete(attempts: Iterable[Attempt], queries: Vectors, k: int, there: int) -> Found:
    """For each query what the first attempt finds that misses none, else the last: (Q, k).

    ``there`` are as many as may be found; where that is less than ``k``, the rest is score -inf and row -1.
    """
    scores = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.full((len(queries), k), -1, np.int64)
    waiting, wanted = np.arange(len(queries)), min(k, there)
    for attempt in attempts:
        if not len(waiting) or not wanted:
            break
        best, found = attempt(queries[waiting], wanted)
        best, found = in_order(np.where(found < 0, np.float32(-np.inf), best), found, wanted)
        scores[waiting, :wanted], rows[waiting, :wanted] = best, found
        waiting = waiting[found[:, -1] < 0]
    return scores, rows


def exact(vectors: Callable[[RowNumbers], Vectors], candidates: RowNumbers) -> Attempt:
    """The search that compares every candidate, whose vectors it asks for a block at a time."""

    def search(queries: Vectors, k: int) -> Found:
        scores, rows = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        for first in range(0, len(candidates), BLOCK):
            block = candidates[first : first + BLOCK]
            best, found = faiss.knn(queries, vectors(block), min(k, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
            scores, rows = in_order(np.hstack([scores, best]), np.hstack([rows, block[found]]), k)
        return scores, rows

    return search


def blocks(count: int) -> Iterator[slice]:
    """Rows 0 … count - 1 in the pieces that are held together."""
    return (slice(first, min(first + BLOCK, count)) for first in range(0, count, BLOCK))


def save_array(path: Path, dtype: str, shape: tuple[int, ...], parts: Iterable[NDArray[Any]]) -> None:
    """Write an ``.npy`` file of parts along the first axis, none of which is held longer than it takes."""
    with path.open("xb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
        for part in parts:
            stream.write(np.ascontiguousarray(part, dtype=dtype).data)


def open_vectors(path: Path, shape: tuple[int, int]) -> Vectors:
    """Map vectors into memory, or raise a `PassageIndexError` where one cannot be searched."""
    if not are_searchable(open_array(path, "<f4", shape)):
        raise PassageIndexError(f"{path}: holds nan or inf, or its squares do; build the index again")
    return open_array(path, "<f4", shape)  # anew: the pages that were looked at are no longer held
