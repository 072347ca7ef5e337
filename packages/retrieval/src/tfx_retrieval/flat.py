"""The flat index: every vector as it is, in a plain ``.npy`` file, mapped into memory and searched whole by FAISS.

The answer is exact. FAISS computes on the mapped array and never parses a file, so an index folder from elsewhere
cannot reach its C++ readers; numpy reads the file without pickle, and so can any other program.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from tfx_core.embedding import Passage, PassageBatch, RowNumbers, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval.arrays import are_searchable, open_array
from tfx_retrieval.passage_file import PassageFile, PassageWriter, check_rows

VECTORS = "vectors.npy"


class FlatIndex:
    """Exact search by inner product over vectors in a `numpy.memmap`; see `tfx_core.PassageIndex`."""

    def __init__(self, vectors: Vectors, passages: PassageFile) -> None:
        self._vectors = vectors
        self._passages = passages

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return int(self._vectors.shape[1])

    def __len__(self) -> int:
        return len(self._vectors)

    def search_vectors(self, queries: Vectors, k: int) -> tuple[Vectors, RowNumbers]:
        """Find the rows of highest inner product: scores and rows, each (Q, min(k, len(self)))."""
        queries = check_queries(queries, self.dimension, k)
        k = min(k, len(self))
        if not len(queries):
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        import faiss  # a second of import time that only a search needs

        scores, rows = faiss.knn(
            queries, self._vectors, k, metric=faiss.METRIC_INNER_PRODUCT
        )  # (Q, D), (N, D) -> (Q, k)
        order = np.lexsort((rows, -scores))
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows."""
        return self._passages.read(rows)

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return a copy of the vectors of these rows, (len(rows), D)."""
        return np.asarray(self._vectors[check_rows(rows, len(self))])


class FlatKind:
    """Keeps a `FlatIndex` in a folder; see `tfx_core.embedding.PassageIndexKind`."""

    def write(
        self, folder: Path, batches: Iterable[PassageBatch], *, dimension: int, options: Mapping[str, str]
    ) -> None:
        """Write passages and vectors as they come; nothing but the batch at hand is held."""
        _refuse_options(options)
        with PassageWriter(folder) as writer, (folder / VECTORS).open("xb") as stream:
            _write_header(stream, (0, dimension))
            count = 0
            for passages, vectors in batches:
                if vectors.shape != (len(passages), dimension) or vectors.dtype != np.float32:
                    raise InputError(
                        f"vectors of shape {vectors.shape} and type {vectors.dtype} for {len(passages)} passages; "
                        f"expected ({len(passages)}, {dimension}) float32"
                    )
                if not are_searchable(vectors):
                    last = count + len(passages) - 1
                    raise InputError(f"the vectors of passages {count} to {last} hold nan or inf, or their squares do")
                writer.add(passages)
                stream.write(np.ascontiguousarray(vectors, dtype="<f4").data)
                count += len(passages)
            stream.seek(0)
            _write_header(stream, (count, dimension))

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> FlatIndex:
        """Map the files into memory."""
        _refuse_options(options)
        path = folder / VECTORS
        vectors = open_array(path, "<f4", (count, dimension))
        if not are_searchable(vectors):
            raise PassageIndexError(f"{path}: holds nan or inf, or its squares do; build the index again")
        return FlatIndex(vectors, PassageFile(folder, count))


KIND = FlatKind()
"""Target of the index name ``flat``."""


def check_queries(queries: Vectors, dimension: int, k: int) -> Vectors:
    """Return queries as contiguous (Q, D) float32, or raise an `InputError`."""
    if k < 1:
        raise InputError(f"k: {k} passages were asked for; ask for one or more")
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise InputError(f"queries of shape {queries.shape}: the index is searched with (number, {dimension})")
    if queries.dtype.kind not in "fiu":
        raise InputError(f"queries of type {queries.dtype}: the index is searched with numbers")
    with np.errstate(over="ignore"):  # which is found out below
        queries = np.ascontiguousarray(queries, dtype=np.float32)
    if not are_searchable(queries):
        raise InputError("queries hold nan or inf, or their squares do")
    return queries


def _write_header(stream: IO[bytes], shape: tuple[int, int]) -> None:
    # numpy pads the header so that a longer first dimension fits in the same place
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})


def _refuse_options(options: Mapping[str, str]) -> None:
    if options:
        raise InputError(f"index option {next(iter(options))!r}: a flat index has no options")
