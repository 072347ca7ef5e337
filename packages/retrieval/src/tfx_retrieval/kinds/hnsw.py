"""``hnsw``: a graph of neighbours in layers, walked towards the query.

Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world
graphs" (2016). The graph is made for inner products as they are: that finds more than the reduction to distances by an
extra number does, also where vectors are of very different length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from tfx_core.embedding import Allowed, RowNumbers, VectorKind, Vectors
from tfx_core.errors import PassageIndexError
from tfx_core.fields import Between, Help
from tfx_retrieval.arrays import open_array
from tfx_retrieval.kinds.native import (
    Attempt,
    Found,
    Progress,
    as_bytes,
    blocks,
    exact,
    first_complete,
    number_allowed,
    open_vectors,
    save_array,
    selector,
    view,
)
from tfx_retrieval.kinds.options import KindOptions, read_options

VECTORS, LEVELS, NEIGHBOURS = "vectors.npy", "levels.npy", "neighbours.npy"


@dataclass(frozen=True, kw_only=True)
class HnswOptions(KindOptions):
    """Options of ``hnsw``; what is the default of ``m``, a folder does not say: it stays."""

    kind: ClassVar[str] = "hnsw"

    m: Annotated[int, Between(2, 256), Help("neighbours of a vector in each layer, twice as many in the lowest")] = 32
    ef_construction: Annotated[int, Between(1, 10_000), Help("candidates for neighbours that are kept")] = 200
    ef_search: Annotated[int, Between(1, 10_000), Help("candidates that a search keeps; more find more")] = 128


class Graph:
    """Vectors mapped into memory and the graph of them; see `tfx_core.embedding.VectorIndex`."""

    def __init__(
        self, vectors: Vectors, levels: NDArray[np.int32], neighbours: NDArray[np.int32], options: HnswOptions
    ):
        self._vectors, self._neighbours = vectors, neighbours  # which FAISS sees, but does not own
        self._options = options
        self._index = _empty(vectors.shape[1], options)
        storage = faiss.downcast_index(self._index.storage)
        view(storage.codes, as_bytes(vectors))
        storage.ntotal = self._index.ntotal = len(vectors)
        graph = self._index.hnsw
        view(graph.neighbors, neighbours)
        faiss.copy_array_to_vector(levels, graph.levels)
        faiss.copy_array_to_vector(_offsets(levels, options.m).astype(np.uint64), graph.offsets)
        graph.entry_point = int(np.argmax(levels))
        graph.max_level = int(levels.max()) - 1

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> Found:
        """Walk the graph; where few rows are allowed, or it leads to too few of them, compare them all."""
        there = number_allowed(allowed, len(self._vectors))
        return first_complete(self._attempts(k, there, allowed), queries, k, there)

    def vectors(self, rows: RowNumbers) -> Vectors:
        """Return a copy of the vectors of these rows."""
        return np.asarray(self._vectors[rows])

    def _attempts(self, k: int, there: int, allowed: Allowed | None) -> Iterator[Attempt]:
        count = len(self._vectors)
        candidates = max(self._options.ef_search, k) * count // max(there, 1)  # of which as many are allowed as else
        if candidates * 2 * self._options.m < there:  # what is compared on the way is less than everything
            yield self._walk(candidates, allowed)
        yield exact(self.vectors, np.arange(count) if allowed is None else np.flatnonzero(allowed))

    def _walk(self, candidates: int, allowed: Allowed | None) -> Attempt:
        parameters = faiss.SearchParametersHNSW(efSearch=candidates, sel=selector(allowed))

        def search(queries: Vectors, k: int) -> Found:
            scores, rows = self._index.search(queries, k, params=parameters)
            return scores, rows

        return search


class HnswKind(VectorKind):
    """Keeps a `Graph` in a folder."""

    keeps_vectors = True

    def write(
        self, folder: Path, vectors: Vectors, *, options: Mapping[str, str], progress: Progress | None = None
    ) -> None:
        """Insert the vectors in their order; they are in memory meanwhile. The number of threads changes nothing."""
        index = _empty(vectors.shape[1], read_options(HnswOptions, options))
        for block in blocks(len(vectors)):
            index.add(np.ascontiguousarray(vectors[block], dtype=np.float32))
            if progress is not None:
                progress(block.stop - block.start)
        save_array(folder / VECTORS, "<f4", vectors.shape, (vectors[block] for block in blocks(len(vectors))))
        for name, array in ((LEVELS, index.hnsw.levels), (NEIGHBOURS, index.hnsw.neighbors)):
            numbers = faiss.vector_to_array(array)
            save_array(folder / name, "<i4", numbers.shape, [numbers])

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> Graph:
        """Map vectors and neighbours into memory."""
        read = read_options(HnswOptions, options)
        vectors = open_vectors(folder / VECTORS, (count, dimension))
        levels = _checked_levels(folder / LEVELS, count, read)
        length = int(_offsets(levels, read.m)[-1])
        neighbours = open_array(folder / NEIGHBOURS, "<i4", (length,))
        _check_neighbours(folder / NEIGHBOURS, neighbours, levels, read.m)
        return Graph(vectors, levels, neighbours, read)

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse wrong options."""
        read_options(HnswOptions, options)


KIND = HnswKind()
"""Target of the index name ``hnsw``."""


def _empty(dimension: int, options: HnswOptions) -> Any:
    index = faiss.IndexHNSWFlat(dimension, options.m, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = options.ef_construction
    return index


def _offsets(levels: NDArray[np.int32], m: int) -> RowNumbers:
    """Where the neighbours of each vector begin: there are 2m in the lowest layer and m in each other one, (N + 1,)."""
    return np.concatenate([[0], np.cumsum((levels.astype(np.int64) + 1) * m)])


def _checked_levels(path: Path, count: int, options: HnswOptions) -> NDArray[np.int32]:
    """The number of layers that each vector is in, (N,), in memory."""
    levels = np.array(open_array(path, "<i4", (count,)))
    most = _empty(1, options).hnsw.assign_probas.size()
    if levels.min() < 1 or levels.max() > most:
        raise PassageIndexError(f"{path}: a vector is in 1 to {most} layers; build the index again")
    return levels


def _check_neighbours(path: Path, neighbours: NDArray[np.int32], levels: NDArray[np.int32], m: int) -> None:
    """Raise a `PassageIndexError` unless every neighbour is a vector that is in the layer, or -1 for none."""
    offsets = _offsets(levels, m)
    right = all(part.min() >= -1 and part.max() < len(levels) for part in _pieces(neighbours))
    for layer in range(1, int(levels.max())) if right else ():
        begins = offsets[:-1][levels > layer] + (layer + 1) * m
        named = neighbours[begins[:, None] + np.arange(m)]  # (vectors in the layer, m)
        right = right and bool((levels[named[named >= 0]] > layer).all())
    if not right:
        raise PassageIndexError(f"{path}: names neighbours that there are not; build the index again")


def _pieces(array: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    return (array[first : first + (1 << 20)] for first in range(0, len(array), 1 << 20))
