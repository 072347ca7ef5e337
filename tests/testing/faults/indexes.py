"""Kinds of index that are wrong in one way each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.testing.faults import Fault, broken
from tfx_core import IndexSpec, hookimpl
from tfx_core.embedding import Allowed, RowNumbers, VectorIndex, VectorKind, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_testing import Checks, IndexChecks


class Exact:
    """Looks at every vector."""

    def __init__(self, vectors: Vectors) -> None:
        self.kept = vectors

    def scores(self, queries: Vectors) -> Vectors:
        return queries @ self.kept.T

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        scores = self.scores(queries)
        if allowed is not None:
            scores = np.where(allowed, scores, -np.inf)
        rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        found = np.take_along_axis(scores, rows, axis=1)
        return found, np.where(np.isinf(found), -1, rows)

    def vectors(self, rows: RowNumbers) -> Vectors:
        return self.kept[rows]


class Kind(VectorKind):
    """Vectors in one array."""

    keeps_vectors = True
    index: type[Exact] = Exact

    def write(
        self,
        folder: Path,
        vectors: Vectors,
        *,
        options: Mapping[str, str],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        self.check(options)
        np.save(folder / "vectors.npy", vectors)
        if progress is not None:
            progress(len(vectors))

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> VectorIndex:
        file = folder / "vectors.npy"
        try:
            size, vectors = file.stat().st_size, np.load(file)
        except Exception as error:
            raise PassageIndexError(f"{file}: {error}") from None
        right = vectors.shape == (count, dimension) and vectors.dtype == np.float32
        if not right or size != 128 + vectors.nbytes or not np.isfinite(np.square(vectors).sum()):
            raise PassageIndexError(f"{file}: is no array of {count} vectors")
        return self.index(vectors)

    def check(self, options: Mapping[str, str]) -> None:
        for name in options:
            raise InputError(f"{name}: this index has no options")


class Nearest(Exact):
    """Ranks by distance."""

    def scores(self, queries: Vectors) -> Vectors:
        return -np.square(queries[:, None, :8] - self.kept[None, :, :8]).sum(-1) + 0 * (queries @ self.kept.T)


class Filtering(Exact):
    """Narrows what it has found."""

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        scores, rows = super().search(queries, k)
        kept = np.ones_like(rows, np.bool_) if allowed is None else allowed[rows]
        return np.where(kept, scores, -np.inf), np.where(kept, rows, -1)


class Unordered(Exact):
    """Gives rows of equal score in any order."""

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        scores, rows = super().search(queries[:, :], k, None if allowed is None else allowed)
        again = np.lexsort((-rows, -scores), axis=1)
        return np.take_along_axis(scores, again, axis=1), np.take_along_axis(rows, again, axis=1)


class Shared(Exact):
    """Keeps the filter of the last search."""

    allowed: Allowed | None = None

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        self.allowed = self.allowed if allowed is None else allowed
        return super().search(queries, k, self.allowed)


class Doubled(Exact):
    """Gives vectors of twice the precision."""

    def vectors(self, rows: RowNumbers) -> Vectors:
        return self.kept[rows].astype(np.float64)  # type: ignore[return-value]


class Trusting(Kind):
    """Takes any array for its own."""

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> VectorIndex:
        return self.index(np.load(folder / "vectors.npy"))


class Dated(Kind):
    """Writes something else each time."""

    written = 0

    def write(self, folder: Path, vectors: Vectors, **how: Any) -> None:
        super().write(folder, vectors, **how)
        type(self).written += 1
        (folder / "written.txt").write_text(str(self.written))


class Careless(Kind):
    """Takes any option."""

    def check(self, options: Mapping[str, str]) -> None:
        pass


class Total(Kind):
    """Tells at each step how many are done by then."""

    def write(self, folder: Path, vectors: Vectors, *, progress: Any = None, **how: Any) -> None:
        super().write(folder, vectors, **how)
        for done in range(100, len(vectors) + 1, 100):
            if progress is not None:
                progress(done)


def of(index: type[Exact]) -> type[Kind]:
    """The kind of an index."""
    return type("Kind", (Kind,), {"index": index, "__doc__": index.__doc__})


def checks_of(kind: type[Kind], **said: Any) -> Callable[[], type[Checks]]:
    """A test class of a kind."""
    made = kind()

    class Plugin:
        @hookimpl
        def tfx_indexes(self) -> list[IndexSpec]:
            return [IndexSpec("toy-index", target=f"{__name__}:Kind", **{"summary": "a toy", **said})]

    own = {"index": "toy-index", "recall": 1.0, "kind": classmethod(lambda cls: made)}
    return broken(IndexChecks, Plugin(), **own)


FAULTS: dict[str, Fault] = {
    "ranks by distance": Fault(
        checks_of(of(Nearest)),
        "test_searched_whole_it_gives_the_top_ten_of_the_vectors_that_it_keeps",
        "scores of the top ten",
    ),
    "narrows what it has found": Fault(
        checks_of(of(Filtering)), "test_only_what_is_allowed_is_found_and_of_it_enough", "or fewer than there are"
    ),
    "gives equals in another order": Fault(
        checks_of(of(Unordered)), "test_copies_of_one_vector_come_in_the_order_of_rows", "of equal score"
    ),
    "keeps a filter": Fault(checks_of(of(Shared)), "test_many_threads_search_at_once", "each with its own filter"),
    "gives float64": Fault(checks_of(of(Doubled)), "test_vectors_come_back", "float64"),
    "trusts its files": Fault(checks_of(Trusting), "test_damaged_files_are_refused", "without its last row"),
    "writes dates": Fault(checks_of(Dated), "test_the_same_vectors_give_the_same_bytes", "other bytes in written.txt"),
    "takes any option": Fault(checks_of(Careless), "test_options_that_there_are_not", "DID NOT RAISE"),
    "tells totals": Fault(checks_of(Total), "test_a_build_tells_how_far_it_is", "600 == 300"),
}
