"""Lists of alike vectors, of which a search looks at the most promising: for ``ivf-flat``, ``-disk`` and ``-pq``.

Sivic and Zisserman, "Video Google" (2003); Jégou, Douze and Schmid, "Product quantization for nearest neighbor search"
(2011). A folder has the ``centroids`` of the lists, the ``rows`` in them list by list, where each list begins, and the
``codes`` of the vectors in the same order.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import faiss
import numpy as np
from numpy.typing import DTypeLike, NDArray

from tfx_core.embedding import Allowed, RowNumbers, Vectors
from tfx_core.errors import PassageIndexError
from tfx_core.fields import Between, Help
from tfx_retrieval.arrays import open_array
from tfx_retrieval.kinds.native import (
    Attempt,
    Found,
    as_bytes,
    blocks,
    first_complete,
    number_allowed,
    open_vectors,
    save_array,
    selector,
    view,
)
from tfx_retrieval.kinds.options import KindOptions

CENTROIDS, STARTS, ROWS, CODES = "centroids.npy", "starts.npy", "rows.npy", "codes.npy"

SEED = 1234
_SAMPLE = 32
"""Vectors for each centroid that these are made from."""

_ALIKE = 0.25
"""Standard deviation of lengths, in parts of their mean, up to which vectors are sorted by direction alone."""


@dataclass(frozen=True, kw_only=True)
class ListOptions(KindOptions):
    """Options of all kinds with lists."""

    nlist: Annotated[
        Annotated[int, Between(1, 1 << 20)] | None,
        Help("lists (default: 4 times the root of the number of vectors; at most that number)"),
    ] = None
    nprobe: Annotated[
        Annotated[int, Between(1, 1 << 20)] | None,
        Help("lists that a search looks at; more find more (default: every 12th, from 32 to 256)"),
    ] = None

    def lists(self, count: int) -> int:
        """How many lists ``count`` vectors get."""
        return min(count, self.nlist or max(1, round(4 * math.sqrt(count))))

    def probes(self, lists: int) -> int:
        """How many lists a search looks at."""
        return min(lists, self.nprobe or min(256, max(32, lists // 12)))


@dataclass(frozen=True)
class Lists:
    """What the files hold."""

    starts: RowNumbers
    """Where each list begins and, last, where all end, (L + 1,)."""
    rows: NDArray[np.uint32]
    """The row of each vector, (N,), list by list; in a list they rise."""
    codes: NDArray[Any]
    """(N, …)"""

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def places(self) -> NDArray[np.uint32]:
        """Where in the lists each row is, (N,)."""
        places = np.empty_like(self.rows)
        places[self.rows] = np.arange(len(self.rows), dtype=np.uint32)
        return places

    def lists_of(self, places: NDArray[Any]) -> RowNumbers:
        """The list that each place is in."""
        return np.asarray(np.searchsorted(self.starts, places, side="right") - 1)

    def inverted(self) -> Any:
        """The lists as FAISS has them: it copies the rows, 8 bytes each, and sees the codes where they are."""
        made = faiss.ArrayInvertedLists(len(self), 0)  # codes of no bytes, so that none is copied
        parts = list(pairwise(self.starts.tolist()))
        for number, (first, last) in enumerate(parts):
            rows = self.rows[first:last].astype(np.int64)
            if len(rows):
                made.add_entries(number, len(rows), faiss.swig_ptr(rows), faiss.swig_ptr(as_bytes(rows)))
        contents = made.codes
        contents.clear()
        for first, last in parts:
            codes = faiss.MaybeOwnedVectorUInt8()
            view(codes, as_bytes(self.codes[first:last]))
            contents.push_back(codes)
        made.code_size = self.codes.nbytes // len(self.codes)
        return made


class ListSearch:
    """Search in lists, of which only the most promising are looked at.

    ``index`` is FAISS's, still without vectors; ``probes`` is the number of lists to look at.
    """

    def __init__(self, index: Any, lists: Lists, probes: int) -> None:
        self.lists = lists
        self._probes = probes
        self._index = index
        self._inverted = lists.inverted()
        index.replace_invlists(self._inverted, False)
        index.ntotal, index.is_trained = len(lists.rows), True

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> Found:
        """Look at more lists the fewer rows are allowed, and at ever more of them until ``k`` are found."""
        there = number_allowed(allowed, len(self.lists.rows))
        return first_complete(self._attempts(there, allowed), queries, k, there)

    def _attempts(self, there: int, allowed: Allowed | None) -> Iterator[Attempt]:
        count, wanted = len(self.lists.rows), selector(allowed)
        probes = self._probes * count // max(there, 1)  # in which as many vectors are allowed as else
        while probes < self._index.nlist:
            yield partial(self._look, probes=probes, wanted=wanted)
            probes *= 2
        yield partial(self._look, probes=self._index.nlist, wanted=wanted)

    def _look(self, queries: Vectors, k: int, *, probes: int, wanted: Any) -> Found:
        parameters = faiss.SearchParametersIVF(nprobe=probes, sel=wanted)
        scores, rows = self._index.search(queries, k, params=parameters)
        return scores, rows


class Sorter:
    """Centroids made from a sample of vectors, and which of them each vector belongs to.

    Vectors of about one length go by direction, to the highest inner product with a centroid of length one. Others go
    by distance, so that the long ones, which most queries find, come together.
    """

    def __init__(self, sample: Vectors, lists: int) -> None:
        lengths = np.linalg.norm(sample, axis=1)
        spherical = bool(lengths.std() <= _ALIKE * lengths.mean())
        self._metric = faiss.METRIC_INNER_PRODUCT if spherical else faiss.METRIC_L2
        clusters = faiss.Kmeans(
            sample.shape[1],
            lists,
            niter=10,
            seed=SEED,
            spherical=spherical,
            min_points_per_centroid=1,
            max_points_per_centroid=len(sample),
        )
        clusters.train(sample)
        self.centroids: Vectors = clusters.centroids

    def lists_of(self, vectors: Vectors) -> RowNumbers:
        """The list of each vector, (N,)."""
        _, nearest = faiss.knn(vectors, self.centroids, 1, metric=self._metric)
        return np.asarray(nearest[:, 0])


def sampled(vectors: Vectors, number: int) -> Vectors:
    """Vectors at random, always the same, in their order, (min(number, N), D)."""
    if number >= len(vectors):
        return np.ascontiguousarray(vectors, dtype=np.float32)
    rows = np.random.default_rng(SEED).choice(len(vectors), number, replace=False, shuffle=False)
    return np.ascontiguousarray(vectors[np.sort(rows)], dtype=np.float32)


def sorter_of(vectors: Vectors, lists: int) -> Sorter:
    """The sorter that a sample of vectors gives."""
    return Sorter(sampled(vectors, lists * _SAMPLE), lists)


def write_order(folder: Path, vectors: Vectors, sorter: Sorter) -> Lists:
    """Sort all vectors, a block at a time, write the order, and return it with no codes."""
    parts = [sorter.lists_of(np.ascontiguousarray(vectors[part], np.float32)) for part in blocks(len(vectors))]
    lists = np.concatenate(parts)
    rows = np.argsort(lists, kind="stable").astype(np.uint32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(lists, minlength=len(sorter.centroids)))])
    save_array(folder / STARTS, "<i8", starts.shape, [starts])
    save_array(folder / ROWS, "<u4", rows.shape, [rows])
    return Lists(starts, rows, np.empty((len(rows), 0), np.uint8))


def read_lists(folder: Path, count: int, dtype: DTypeLike, size: int) -> Lists:
    """Map the files of lists of ``count`` vectors into memory, with codes of ``size`` numbers."""
    starts = np.array(open_array(folder / STARTS, "<i8", (None,)))
    right = 2 <= len(starts) <= count + 1 and starts[0] == 0 and starts[-1] == count
    if not right or (starts[1:] < starts[:-1]).any():
        raise PassageIndexError(f"{folder / STARTS}: the lists do not follow each other; build the index again")
    rows = open_array(folder / ROWS, "<u4", (count,))
    times = np.bincount(rows, minlength=count) if rows.max() < count else np.zeros(1)
    if not (times == 1).all():
        raise PassageIndexError(f"{folder / ROWS}: does not name each row once; build the index again")
    return Lists(starts, rows, open_array(folder / CODES, dtype, (count, size)))


def read_quantizer(folder: Path, number: int, dimension: int) -> Any:
    """The centroids, as what FAISS asks for the lists of the highest inner product."""
    quantizer = faiss.IndexFlatIP(dimension)
    quantizer.add(np.array(open_vectors(folder / CENTROIDS, (number, dimension))))
    return quantizer
