"""An index of passages as it lies in a folder: segments, each written once, and the rows that were deleted since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfx_core.embedding import Allowed, Passage, RowNumbers, VectorIndex, Vectors, Where
from tfx_core.errors import InputError
from tfx_retrieval.arrays import are_searchable
from tfx_retrieval.flat import in_order
from tfx_retrieval.lexical import WordIndex
from tfx_retrieval.metadata import Columns
from tfx_retrieval.passage_file import PassageFile, check_rows
from tfx_retrieval.where import conditions_of


@dataclass(frozen=True)
class Segment:
    """Passages that came together, and the index of their vectors."""

    vectors: VectorIndex
    passages: PassageFile
    columns: Columns

    def __len__(self) -> int:
        return len(self.passages)


class SegmentedIndex:
    """Segments, one after the other, see `tfx_core.PassageIndex`; ``deleted`` says of each row whether it is gone."""

    def __init__(
        self,
        segments: Sequence[Segment],
        dimension: int,
        deleted: Allowed | None = None,
        words: WordIndex | None = None,
    ) -> None:
        self._segments = segments
        self.words = words
        """The words of the same rows, where they are kept."""
        self._starts = np.cumsum([0, *map(len, segments)])
        self.deleted = deleted
        self._dimension = dimension
        self._count = self.rows - (0 if deleted is None else int(np.count_nonzero(deleted)))

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self._dimension

    @property
    def rows(self) -> int:
        """Number of rows, those of deleted passages among them."""
        return int(self._starts[-1])

    def __len__(self) -> int:
        return self._count

    @property
    def fields(self) -> dict[str, set[str]]:
        """The fields of the metadata, and the types of values that each has."""
        fields: dict[str, set[str]] = {}
        for segment in self._segments:
            for name, types in segment.columns.fields.items():
                fields.setdefault(name, set()).update(types)
        return fields

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        """Find the rows of highest inner product: scores and rows, each (Q, min(k, len(self)))."""
        queries = check_queries(queries, self.dimension, k)
        allowed = self._allowed(where)
        found = [self._search(number, queries, k, allowed) for number in range(len(self._segments))]
        scores, rows = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))  # (Q, sum of the segments')
        return in_order(scores, rows, min(k, len(self)))

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows."""
        return [self._segments[segment].passages.read([row])[0] for segment, row in self._places(rows)]

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return a copy of the vectors of these rows, (len(rows), D)."""
        places = np.array([*self._places(rows)], np.int64).reshape(-1, 2)
        vectors = np.empty((len(places), self.dimension), np.float32)
        for number, segment in enumerate(self._segments):
            here = places[:, 0] == number
            if here.any():
                vectors[here] = segment.vectors.vectors(places[here, 1])
        return vectors

    def allowed(self, where: Where | None = None) -> Allowed | None:
        """Say which rows may be found, (rows,): those that were not deleted and fit ``where``; None for all."""
        return self._allowed(where)

    def _search(self, number: int, queries: Vectors, k: int, allowed: Allowed | None) -> tuple[Vectors, RowNumbers]:
        """The best rows of one segment, (Q, min(k, its length))."""
        segment, start = self._segments[number], self._starts[number]
        here = None if allowed is None else allowed[start : start + len(segment)]
        k = min(k, len(segment))
        if not len(queries) or not (here is None or here.any()):
            return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        scores, rows = segment.vectors.search(queries, k, None if here is None or here.all() else here)
        return scores, np.where(rows < 0, rows, rows + start)

    def _allowed(self, where: Where | None) -> Allowed | None:
        """Which rows may be found, (N,); None for all."""
        there = None if self.deleted is None else ~self.deleted
        if not where:
            return there
        conditions = conditions_of(where, self.fields)
        fitting = [
            np.logical_and.reduce([segment.columns.mask(condition) for condition in conditions])
            for segment in self._segments
        ]
        return np.concatenate(fitting) if there is None else np.concatenate(fitting) & there

    def _places(self, rows: Sequence[int] | RowNumbers) -> Iterator[tuple[int, int]]:
        """The segment of each row, and its number there; raises `InputError` for rows that there are not."""
        checked = check_rows(rows, self.rows)
        if self.deleted is not None and (gone := checked[self.deleted[checked]]).size:
            raise InputError(f"row {int(gone[0])}: its passage was deleted")
        segments = np.searchsorted(self._starts, checked, side="right") - 1
        yield from zip(segments.tolist(), (checked - self._starts[segments]).tolist(), strict=True)


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
