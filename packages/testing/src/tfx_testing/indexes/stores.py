"""A `StoreKind` keeps what it promises: exact answers, changes that are whole, and nothing that is seen too early."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfx_core.embedding import EditableIndex, Passage, PassageBatch, StoreKind, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_testing.indexes.base import NO_OPTION, KindChecks, of_length_one

WIDTH = 8
CONDITIONS: tuple[tuple[Mapping[str, Any], Sequence[int]], ...] = (
    ({"lang": "en"}, (1, 3, 5, 7, 9)),
    ({"lang": "en", "year": {"at_least": 2003, "below": 2007}}, (3, 5)),
    ({"year": {"above": 2003, "at_most": 2005.0}}, (4, 5)),
    ({"year": [2001, 2004, 1]}, (1, 4)),
    ({'odd "key\\': True}, (0, 5)),
    ({"share": 0.75}, (3,)),
    ({"year": -1}, ()),
    ({"lang": '" or 1 or "'}, ()),
    ({"lang": "\\"}, ()),
)
"""What a search is narrowed to, and the rows of ten that are left."""


def passages(count: int) -> list[Passage]:
    """Passages with letters that have a meaning in queries, and metadata of every type."""
    return [
        Passage(
            f"text {row}\n“it's” \\\"\u2028",
            f"topic {row % 3}",
            f"p{row}",
            {"year": 2000 + row, "lang": "en" if row % 2 else "de", 'odd "key\\': row % 5 == 0, "share": row / 4},
        )
        for row in range(count)
    ]


def random_vectors(count: int, seed: int = 0) -> Vectors:
    """Vectors of length one."""
    return of_length_one(np.random.default_rng(seed).standard_normal((count, WIDTH)))


def batches(vectors: Vectors, size: int = 7) -> Iterator[PassageBatch]:
    """Passages with these vectors, some at a time."""
    everything = passages(len(vectors))
    for start in range(0, len(vectors), size):
        yield everything[start : start + size], vectors[start : start + size]


class StoreChecks(KindChecks):
    """Checks of a service that keeps passages and vectors itself."""

    @classmethod
    def store_options(cls, folder: Path) -> Mapping[str, str]:
        """Options of a store of its own for each check, given a folder that no other check has."""
        return {}

    @classmethod
    def store_kind(cls) -> StoreKind:
        """The kind."""
        kind = cls.kind()
        assert isinstance(kind, StoreKind)
        return kind

    @pytest.fixture
    def options(self, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
        """Options of a new store, as a folder keeps them."""
        return self.store_kind().check(self.store_options(tmp_path_factory.mktemp("store")))

    def _published(self, options: Mapping[str, str], vectors: Vectors) -> EditableIndex:
        kind = self.store_kind()
        index = kind.create(options, dimension=WIDTH)
        index.add(batches(vectors))
        kind.publish(index)
        return kind.open(options, dimension=WIDTH)

    def test_the_answer_is_the_exact_one(self, options: Mapping[str, str]) -> None:
        """Rows of highest inner product come first, with their scores; fewer passages than ``k`` are all of them.

        Where they do not: the service ranks by cosine or distance, or searches approximately; ``store_options`` of the
        test class may ask it not to.
        """
        vectors, asked = random_vectors(50), random_vectors(3, seed=1)
        index = self._published(options, vectors)
        assert isinstance(index, EditableIndex), f"{type(index).__name__} lacks methods of an EditableIndex"
        assert (len(index), index.dimension) == (50, WIDTH)
        exact = asked @ vectors.T
        for k in (1, 5, 80):
            scores, rows = index.search_vectors(asked, k)
            best = np.argsort(-exact, axis=1)[:, :k]
            np.testing.assert_array_equal(rows, best, err_msg=f"rows, k={k}")
            expected = np.take_along_axis(exact, best, axis=1)
            np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5, err_msg=f"scores, k={k}")
        assert index.search_vectors(np.empty((0, WIDTH), np.float32), 5)[0].shape == (0, 5)

    def test_equal_scores_come_in_the_order_of_rows(self, options: Mapping[str, str]) -> None:
        """Rows of equal score come in ascending order.

        Where they do not: sort what the service gives by score and then by row.
        """
        index = self._published(options, np.ones((10, WIDTH), np.float32))
        np.testing.assert_array_equal(index.search_vectors(np.ones((1, WIDTH), np.float32), 10)[1], [list(range(10))])

    def test_passages_and_vectors_come_back_as_they_were(self, options: Mapping[str, str]) -> None:
        """Texts, topics, ids, metadata and vectors come back as they were added, in the order that is asked for.

        Where they do not: quote what goes into a query, and keep a number's type.
        """
        vectors = random_vectors(50)
        index = self._published(options, vectors)
        assert index.passages([49, 0, 7, 7]) == [passages(50)[row] for row in (49, 0, 7, 7)]
        np.testing.assert_array_equal(index.vectors(np.array([3, 1])), vectors[[3, 1]])
        assert index.passages([]) == []
        assert index.vectors([]).shape == (0, WIDTH)

    def test_only_what_fits_is_found(self, options: Mapping[str, str]) -> None:
        """Conditions on metadata narrow a search, see `tfx_core.embedding.Where`; what lacks is row -1 at the end.

        Where they do not: a value is put into the service's query without quoting, or a bound means ``<`` for ``<=``.
        """
        index = self._published(options, random_vectors(10))
        for where, fits in CONDITIONS:
            scores, rows = index.search_vectors(random_vectors(1, seed=1), 10, where=where)
            assert rows.shape == (1, 10), where
            assert sorted(rows[0][rows[0] >= 0]) == [*fits], where
            assert np.isneginf(scores[0][len(fits) :]).all(), where
        with pytest.raises(InputError, match="colour"):
            index.search_vectors(random_vectors(1), 1, where={"colour": "red"})

    def test_passages_are_added_deleted_and_replaced(self, options: Mapping[str, str]) -> None:
        """A change is seen at once, and an id that is there already, or that there is not, is an `InputError`.

        Where it is not: the service answers from before the change; ask it for a consistent read.
        """
        vectors = random_vectors(20)
        index = self._published(options, vectors)
        assert index.delete(["p3", "p19"]) == 2
        assert len(index) == 18
        assert {3, 19}.isdisjoint(index.search_vectors(vectors[[3, 19]], 18)[1].ravel()), "a deleted passage is found"
        assert index.add([([Passage("new", id="new")], vectors[3:4])]) == 1
        _, rows = index.search_vectors(vectors[3:4], 20)
        assert index.passages(rows[0, :1]) == [Passage("new", id="new")]
        assert index.replace([([Passage("newer", id="new")], vectors[4:5])]) == 1
        assert len(index) == 19
        with pytest.raises(InputError, match="new"):
            index.add([([Passage("again", id="new")], vectors[3:4])])
        with pytest.raises(InputError, match="p3"):
            index.delete(["p3"])

    def test_nothing_is_seen_before_it_is_published(self, options: Mapping[str, str]) -> None:
        """While a store is made anew, who opens it finds the one before; what is discarded was never there.

        Where they do not: ``create`` makes the store under its final name.
        """
        kind = self.store_kind()
        self._published(options, random_vectors(5))
        discarded = kind.create(options, dimension=WIDTH)
        discarded.add(batches(random_vectors(9)))
        assert len(kind.open(options, dimension=WIDTH)) == 5, "what is not published yet is seen"
        kind.discard(discarded)
        assert len(kind.open(options, dimension=WIDTH)) == 5, "what was discarded is seen"
        assert len(self._published(options, random_vectors(7))) == 7

    def test_many_threads_search_a_store_at_once(self, options: Mapping[str, str]) -> None:
        """Searches in several threads give what they give one after the other.

        Where they do not: a connection is shared that cannot be; make one for each thread.
        """
        index = self._published(options, random_vectors(50))
        queries = [random_vectors(3, seed=seed) for seed in range(8)]
        alone = [index.search_vectors(each, 5)[1] for each in queries]
        with ThreadPoolExecutor(4) as pool:
            for found, expected in zip(
                pool.map(lambda each: index.search_vectors(each, 5)[1], queries), alone, strict=True
            ):
                np.testing.assert_array_equal(found, expected)

    def test_a_store_that_is_not_there_is_told(self, options: Mapping[str, str]) -> None:
        """Opening what was never published is a `PassageIndexError`.

        Where it is not: ``open`` makes an empty store, or lets an error of the service's library through.
        """
        with pytest.raises(PassageIndexError):
            self.store_kind().open(options, dimension=WIDTH)

    def test_an_option_of_no_store_is_told(self, options: Mapping[str, str]) -> None:
        """An option that the kind does not have is an `InputError` that names it; those kept can be checked again.

        Where it is not: ``check`` takes what it is given.
        """
        assert self.store_kind().check(options) == options
        with pytest.raises(InputError, match=NO_OPTION):
            self.store_kind().check({**options, NO_OPTION: "32"})
