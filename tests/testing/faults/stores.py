"""Services that keep passages themselves and are wrong in one way each."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from tests.testing.faults import Fault, broken
from tfx_core import IndexSpec, hookimpl
from tfx_core.embedding import EditableIndex, Passage, PassageBatch, RowNumbers, StoreKind, Vectors, Where
from tfx_core.errors import InputError, PassageIndexError
from tfx_testing import Checks, IndexChecks

BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "at_least": lambda value, bound: value >= bound,
    "above": lambda value, bound: value > bound,
    "at_most": lambda value, bound: value <= bound,
    "below": lambda value, bound: value < bound,
}


class Store:
    """Passages in a list; what was deleted leaves its place empty."""

    bounds: ClassVar = BOUNDS

    def __init__(self, name: str, dimension: int) -> None:
        self.name, self.dimension = name, dimension
        self.kept: list[tuple[Passage, Any] | None] = []

    def __len__(self) -> int:
        return sum(each is not None for each in self.kept)

    def row(self, name: str) -> int:
        found = [row for row, each in enumerate(self.kept) if each is not None and each[0].id == name]
        if not found:
            raise InputError(f"{name!r}: no passage has this id")
        return found[0]

    def fits(self, passage: Passage, where: Where) -> bool:
        for name, wanted in where.items():
            value = passage.metadata.get(name)
            if isinstance(wanted, Mapping):
                if value is None or not all(self.bounds[each](value, bound) for each, bound in wanted.items()):
                    return False
            elif value not in (wanted if isinstance(wanted, list) else [wanted]):
                return False
        return True

    def candidates(self, where: Where | None) -> list[int]:
        real = [(row, each[0]) for row, each in enumerate(self.kept) if each is not None]
        for name in where or ():
            if not any(name in passage.metadata for _, passage in real):
                raise InputError(f"where: no passage has a {name!r}")
        return [row for row, passage in real if where is None or self.fits(passage, where)]

    def ranked(self, rows: Sequence[int], scores: Vectors) -> Sequence[int]:
        """The best first, of one query."""
        return sorted(rows, key=lambda row: (-scores[row], row))

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        rows, k = self.candidates(where), min(k, len(self))
        found = np.full((len(queries), k), -1)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for query, (place, score) in zip(queries, zip(found, scores, strict=True), strict=True):
            each = np.array([-np.inf if one is None else query @ one[1] for one in self.kept], np.float32)
            best = self.ranked(rows, each)[:k]
            place[: len(best)], score[: len(best)] = best, each[best]
        return scores, found

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        return [each[0] for each in map(self.kept.__getitem__, rows) if each is not None]

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        found = [each[1] for each in map(self.kept.__getitem__, rows) if each is not None]
        return np.array(found, np.float32).reshape(-1, self.dimension)

    def add(self, batches: Iterable[PassageBatch]) -> int:
        new = [each for passages, vectors in batches for each in zip(passages, vectors, strict=True)]
        taken = {each[0].id for each in self.kept if each is not None}
        for passage, _ in new:
            if passage.id in taken:
                raise InputError(f"{passage.id!r}: a passage has this id already")
        self.kept += new
        return len(new)

    def delete(self, ids: Sequence[str], *, documents: bool = False) -> int:
        for row in [self.row(each) for each in ids]:
            self.kept[row] = None
        return len(ids)

    def replace(self, batches: Iterable[PassageBatch], *, documents: bool = False) -> int:
        new = [each for passages, vectors in batches for each in zip(passages, vectors, strict=True)]
        for row, each in [(self.row(each[0].id), each) for each in new]:
            self.kept[row] = each
        return len(new)


class Kind(StoreKind):
    """Keeps stores while the process lives, by their names."""

    store: type[Store] = Store

    def __init__(self) -> None:
        self.published: dict[str, Store] = {}

    def check(self, options: Mapping[str, str]) -> Mapping[str, str]:
        for name in options:
            if name != "name":
                raise InputError(f"{name}: this store has no such option")
        return dict(options)

    def create(self, options: Mapping[str, str], *, dimension: int) -> EditableIndex:
        return self.store(options["name"], dimension)

    def publish(self, index: EditableIndex) -> None:
        assert isinstance(index, Store)
        self.published[index.name] = index

    def discard(self, index: EditableIndex) -> None:
        pass

    def open(self, options: Mapping[str, str], *, dimension: int) -> EditableIndex:
        if options["name"] not in self.published:
            raise PassageIndexError(f"{options['name']}: there is no such store")
        return self.published[options["name"]]


class Approximate(Store):
    """Looks at every other passage."""

    def candidates(self, where: Where | None) -> list[int]:
        found = super().candidates(where)
        return found[::2] if len(found) > 20 else found


class Unordered(Store):
    """Gives passages of equal score as it finds them, the last first."""

    def ranked(self, rows: Sequence[int], scores: Vectors) -> Sequence[int]:
        return sorted(rows, key=lambda row: (-scores[row], -row))


class Textual(Store):
    """Keeps metadata as text."""

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        found = super().passages(rows)
        return [replace(each, metadata={name: str(value) for name, value in each.metadata.items()}) for each in found]


class Inclusive(Store):
    """Takes what is below a bound for what is at most it."""

    bounds: ClassVar = {**BOUNDS, "below": BOUNDS["at_most"]}


class Late(Store):
    """Finds what was deleted until somebody looks again."""

    def delete(self, ids: Sequence[str], *, documents: bool = False) -> int:
        self.found_before = [*self.kept]
        return super().delete(ids)

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        now, self.kept = self.kept, getattr(self, "found_before", self.kept)
        try:
            return super().search_vectors(queries, k, where=where)
        finally:
            self.kept, self.found_before = now, now


class Doubling(Store):
    """Adds an id a second time."""

    def add(self, batches: Iterable[PassageBatch]) -> int:
        new = [each for passages, vectors in batches for each in zip(passages, vectors, strict=True)]
        self.kept += new
        return len(new)


class OfOneThread(Store):
    """Has a connection that another thread cannot use."""

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("this connection was made in another thread")
        return super().search_vectors(queries, k, where=where)


class Early(Kind):
    """Creates a store under its name."""

    def create(self, options: Mapping[str, str], *, dimension: int) -> EditableIndex:
        made = super().create(options, dimension=dimension)
        self.publish(made)
        return made


class Forthcoming(Kind):
    """Makes what it does not find."""

    def open(self, options: Mapping[str, str], *, dimension: int) -> EditableIndex:
        return self.published.setdefault(options["name"], self.store(options["name"], dimension))


class Careless(Kind):
    """Takes any option."""

    def check(self, options: Mapping[str, str]) -> Mapping[str, str]:
        return dict(options)


def of(store: type[Store]) -> type[Kind]:
    """The kind of a store."""
    return type("Kind", (Kind,), {"store": store, "__doc__": store.__doc__})


def checks_of(kind: type[Kind]) -> Callable[[], type[Checks]]:
    """A test class of a kind."""
    made = kind()

    class Plugin:
        @hookimpl
        def tfx_indexes(self) -> list[IndexSpec]:
            return [IndexSpec("toy-store", target=f"{__name__}:KIND", summary="a toy")]

    own = {
        "index": "toy-store",
        "kind": classmethod(lambda cls: made),
        "store_options": classmethod(lambda cls, folder: {"name": str(folder)}),
    }
    return broken(IndexChecks, Plugin(), **own)


KIND = Kind()
SOUND = checks_of(Kind)

FAULTS: dict[str, Fault] = {
    "looks at half": Fault(checks_of(of(Approximate)), "test_the_answer_is_the_exact_one", "rows, k=1"),
    "gives equals in another order": Fault(
        checks_of(of(Unordered)), "test_equal_scores_come_in_the_order_of_rows", "Arrays are not equal"
    ),
    "keeps metadata as text": Fault(
        checks_of(of(Textual)), "test_passages_and_vectors_come_back_as_they_were", "'year': '2049'"
    ),
    "takes bounds for inclusive": Fault(checks_of(of(Inclusive)), "test_only_what_fits_is_found", "'below': 2007"),
    "finds what was deleted": Fault(
        checks_of(of(Late)), "test_passages_are_added_deleted_and_replaced", "a deleted passage is found"
    ),
    "adds an id twice": Fault(
        checks_of(of(Doubling)), "test_passages_are_added_deleted_and_replaced", "DID NOT RAISE.*InputError"
    ),
    "is of one thread": Fault(
        checks_of(of(OfOneThread)), "test_many_threads_search_a_store_at_once", "made in another thread"
    ),
    "is seen while it is made": Fault(
        checks_of(Early), "test_nothing_is_seen_before_it_is_published", "what is not published yet is seen"
    ),
    "makes what is not there": Fault(
        checks_of(Forthcoming), "test_a_store_that_is_not_there_is_told", "DID NOT RAISE.*PassageIndexError"
    ),
    "takes any option": Fault(checks_of(Careless), "test_an_option_of_no_store_is_told", "DID NOT RAISE.*InputError"),
}
