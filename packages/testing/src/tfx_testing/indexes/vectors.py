"""A `VectorKind` keeps what it promises: the top ten, filters, threads, and no trust in files."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from tfx_core.embedding import Passage, VectorIndex, VectorKind, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_testing.indexes.base import (
    COUNT,
    DIMENSION,
    NO_OPTION,
    KindChecks,
    best,
    clustered,
    of_many_lengths,
    recall_of,
    retrieval,
)

Opener = Callable[[Vectors], VectorIndex]


class VectorChecks(KindChecks):
    """Checks of vectors in the files of a folder."""

    recall: ClassVar[float] = 0.95
    """How much of the exact top ten it finds with default options; 1 for an exact index."""

    whole: ClassVar[Mapping[str, str]] = {}
    """Options to open it with so that a search leaves nothing out."""

    _written: ClassVar[Path]

    @classmethod
    def vector_kind(cls) -> VectorKind:
        """The kind."""
        kind = cls.kind()
        assert isinstance(kind, VectorKind)
        return kind

    @pytest.fixture
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """An index of the clustered vectors with default options, written once for all checks of a class."""
        cls = type(self)
        if "_written" not in vars(cls):
            folder = tmp_path_factory.mktemp(self.index)
            self.vector_kind().write(folder, clustered()[0], options={})
            cls._written = folder
        return cls._written

    @pytest.fixture
    def opened(self, folder: Path) -> VectorIndex:
        """That index."""
        return self.vector_kind().open(folder, count=COUNT, dimension=DIMENSION, options={})

    @pytest.fixture
    def made(self, tmp_path: Path) -> Opener:
        """Write and open an index of some vectors, in a folder ``made0``, ``made1``, …"""

        def make(vectors: Vectors) -> VectorIndex:
            place = tmp_path / f"made{len(list(tmp_path.iterdir()))}"
            place.mkdir()
            self.vector_kind().write(place, vectors, options={})
            return self.vector_kind().open(place, count=len(vectors), dimension=vectors.shape[1], options={})

        return make

    def _finds(self, found: NDArray[np.int64], exact: NDArray[np.int64], least: float) -> None:
        share = recall_of(found, exact)
        assert share >= least, f"of the exact top ten {share:.3f} were found; promised are {least}"

    def test_searched_whole_it_gives_the_top_ten_of_the_vectors_that_it_keeps(self, folder: Path) -> None:
        """With the options ``whole`` the answer is exact, of the vectors that the index itself gives.

        Where it is not: scores are no inner products, as cosines or distances are none, or ``whole`` leaves some out.
        """
        index = self.vector_kind().open(folder, count=COUNT, dimension=DIMENSION, options=self.whole)
        _, queries = clustered()
        kept = index.vectors(np.arange(COUNT))
        scores, rows = index.search(queries, 10)
        exact = queries @ kept.T
        expected = -np.sort(-exact, axis=1)[:, :10]
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4, err_msg="scores of the top ten")
        own = np.take_along_axis(exact, rows, axis=1)
        np.testing.assert_allclose(own, scores, rtol=1e-4, atol=1e-4, err_msg="scores of the rows that were given")

    def test_by_default_it_finds_what_is_promised(self, opened: VectorIndex) -> None:
        """With default options it finds ``recall`` of the exact top ten.

        Where it does not: its defaults look at too little for 10,000 vectors, or ``recall`` says too much.
        """
        vectors, queries = clustered()
        self._finds(opened.search(queries, 10)[1], best(queries, vectors), self.recall)

    def test_vectors_of_other_lengths_are_found_as_well(self, made: Opener) -> None:
        """Vectors whose lengths vary by a tenth are found by inner product.

        Where they are not: the index looks for the nearest vectors, which for these are others.
        """
        vectors, queries = of_many_lengths()
        self._finds(made(vectors).search(queries, 10)[1], best(queries, vectors), self.recall)

    def test_lengths_that_vary_by_orders_of_magnitude(self, made: Opener) -> None:
        """So are those of very different lengths: one query finds the same few long vectors as the other.

        Where they are not: see the check before.
        """
        vectors, queries = clustered(2000)
        vectors = vectors * np.exp(np.random.default_rng(1).normal(0, 1.5, (2000, 1))).astype(np.float32)
        self._finds(made(vectors).search(queries, 10)[1], best(queries, vectors), self.recall - 0.1)

    @pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.0005])
    def test_only_what_is_allowed_is_found_and_of_it_enough(self, opened: VectorIndex, share: float) -> None:
        """Of the rows that are allowed it finds as many as of all; what lacks is row -1 at the end.

        Where it does not: the top ten are filtered after the search, of which few are left.
        """
        vectors, queries = clustered()
        allowed = np.random.default_rng(2).random(COUNT) < share
        rows = opened.search(queries, 10, allowed)[1]
        there = min(10, int(allowed.sum()))
        assert allowed[rows[:, :there]].all(), "rows that are not allowed, or fewer than there are"
        assert (rows[:, there:] == -1).all(), "more rows than are allowed"
        candidates = np.flatnonzero(allowed)
        self._finds(rows[:, :there], candidates[best(queries, vectors[candidates], there)], self.recall)

    def test_what_is_allowed_may_be_far_from_the_query(self, opened: VectorIndex) -> None:
        """Rows far from the query are found where no others are allowed.

        Where they are not: the search ends with the nearest clusters or neighbours, which have none of them.
        """
        vectors, queries = clustered()
        far = np.zeros(COUNT, np.bool_)
        far[np.argsort(vectors @ queries[0])[:2000]] = True
        scores, rows = opened.search(queries[:1], 50, far)
        assert far[rows].all(), "rows that are not allowed, or fewer than were asked for"
        assert np.isfinite(scores).all()

    def test_where_nothing_is_allowed_nothing_is_found(self, opened: VectorIndex) -> None:
        """No row is allowed: every row is -1, every score -inf.

        Where they are not: an empty filter is taken for none.
        """
        scores, rows = opened.search(clustered()[1][:3], 4, np.zeros(COUNT, np.bool_))
        assert (rows == -1).all()
        assert (scores == -np.inf).all()

    def test_all_vectors_can_be_asked_for(self, opened: VectorIndex) -> None:
        """``k`` may be the number of vectors: then each comes once, the best first.

        Where it does not: an approximate search gives fewer; look at everything where so many are asked for.
        """
        scores, rows = opened.search(clustered()[1][:2], COUNT)
        assert (np.sort(rows, axis=1) == np.arange(COUNT)).all(), "some rows are missing, or there twice"
        assert (np.diff(scores, axis=1) <= 0).all(), "scores rise"

    def test_no_question_has_no_answer(self, opened: VectorIndex) -> None:
        """Of queries (0, D) the answer is (0, k).

        Where it is not: a library below is called with nothing, and takes it for a mistake.
        """
        scores, rows = opened.search(np.empty((0, DIMENSION), np.float32), 3)
        assert scores.shape == rows.shape == (0, 3)

    def test_vectors_come_back(self, opened: VectorIndex) -> None:
        """`VectorIndex.vectors` gives float32 vectors in any order of rows: those given, where the kind keeps them.

        Where it does not: ``keeps_vectors`` says what is not so, or rows are looked up in the index's own order.
        """
        vectors, _ = clustered()
        rows = np.array([COUNT - 1, 3, 3, 0])
        found = opened.vectors(rows)
        if self.vector_kind().keeps_vectors:
            np.testing.assert_array_equal(found, vectors[rows])
        assert found.dtype == np.float32
        assert np.linalg.norm(found - vectors[rows], axis=1).max() < 0.5, "these are other vectors"
        assert opened.vectors(np.empty(0, np.int64)).shape == (0, DIMENSION)

    @pytest.mark.parametrize("count", [1, 2, 3, 40])
    @pytest.mark.parametrize("dimension", [1, 7, 24])
    def test_few_vectors_of_any_dimension(self, made: Opener, count: int, dimension: int) -> None:
        """One vector, or few, of any dimension, make an index that is nearly exact.

        Where they do not: there are fewer vectors than clusters, or than entries of a codebook; then let each be one.
        """
        vectors = np.random.default_rng(count).standard_normal((count, dimension)).astype(np.float32)
        index = made(vectors)
        np.testing.assert_allclose(index.vectors(np.arange(count)), vectors, atol=0.02)
        scores, rows = index.search(vectors[:1], count)
        assert (np.sort(rows) == np.arange(count)).all()
        np.testing.assert_allclose(scores, -np.sort(-vectors[:1] @ vectors.T), atol=0.1)

    @pytest.mark.parametrize("vector", [np.zeros(8), np.ones(8)], ids=["zero", "one"])
    def test_copies_of_one_vector_come_in_the_order_of_rows(self, made: Opener, vector: NDArray[np.float64]) -> None:
        """Rows of equal score come in ascending order.

        Where they do not: sort by score and then by row, with a stable sort.
        """
        index = made(np.tile(vector, (300, 1)).astype(np.float32))
        scores, rows = index.search(np.ones((2, 8), np.float32), 300)
        assert (rows == np.arange(300)).all()
        np.testing.assert_allclose(scores, vector.sum(), rtol=1e-5)

    def test_the_same_vectors_give_the_same_bytes(self, tmp_path: Path) -> None:
        """Two builds write the same files, byte by byte.

        Where they do not: give what is random a seed, and leave times and paths out of the files.
        """
        for name in "ab":
            (tmp_path / name).mkdir()
            self.vector_kind().write(tmp_path / name, clustered(500)[0], options={})
        one, two = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab")
        assert one.keys() == two.keys()
        other = [name for name in one if one[name] != two[name]]
        assert not other, f"other bytes in {', '.join(other)}"

    def test_what_is_open_outlives_its_folder(self, made: Opener, tmp_path: Path) -> None:
        """Files may be deleted while the index is open: a rebuild replaces them under it.

        Where they may not: a search opens a file by its name; open all of them in ``open``.
        """
        vectors, queries = clustered(300)
        index = made(vectors)
        before = index.search(queries, 5)[1]
        for path in (tmp_path / "made0").iterdir():
            path.unlink()
        np.testing.assert_array_equal(index.search(queries, 5)[1], before)

    def test_many_threads_search_at_once(self, opened: VectorIndex) -> None:
        """Searches in several threads, each with its own filter, give what they give one after the other.

        Where they do not: options of one search are set on the index; hand them on to the call.
        """
        _, queries = clustered()
        allowed = np.arange(COUNT) % 2 == 0
        alone = [opened.search(queries, 10, each) for each in (None, allowed)]
        with ThreadPoolExecutor(8) as pool:
            many = list(pool.map(lambda number: opened.search(queries, 10, allowed if number % 2 else None), range(16)))
        for number, found in enumerate(many):
            np.testing.assert_array_equal(found[1], alone[number % 2][1])

    def test_it_serves_an_index_folder(self, tmp_path: Path) -> None:
        """tfx-retrieval builds, opens and searches an index of this kind, with its passages.

        Where it does not: ``write`` leaves a folder or a link beside its files, or needs the vectors after it returned.
        """
        vectors, queries = clustered(500)
        passages = [Passage(f"text {row}", id=str(row)) for row in range(len(vectors))]
        tfx_retrieval = retrieval()
        tfx_retrieval.write_index([(passages, vectors)], tmp_path / "index", dimension=DIMENSION, kind=self.index)
        index = tfx_retrieval.open_index(tmp_path / "index")
        rows = index.search_vectors(queries, 1000)[1]
        assert rows.shape == (len(queries), 500)
        self._finds(rows[:, :10], best(queries, vectors), self.recall)
        assert index.passages(rows[0, :1])[0].text == f"text {rows[0, 0]}"

    def test_damaged_files_are_refused(self, made: Opener, tmp_path: Path) -> None:
        """A file that is missing, cut short, longer, or an array of something else, is a `PassageIndexError` that
        names it.

        Where it is not, a search may read beyond the array: check shapes, types, bounds and finiteness in ``open``.
        """
        made(clustered(2000)[0])
        folder = tmp_path / "made0"

        def refused(path: Path, how: str) -> None:
            said = self._refusal(folder)
            assert said is not None, f"{path.name}, {how}, was opened without an error"
            assert f"{folder}/" in said, f"{path.name}, {how}: {said!r} does not name the file"

        for path in sorted(folder.iterdir()):
            whole = path.read_bytes()
            for how, array in damaged(np.load(path)) if path.suffix == ".npy" else ():
                np.save(path, array)
                refused(path, how)
            cut = {"empty": b"", "cut short": whole[:-1], "longer": whole + b"\0", "cut in the middle": whole[:40]}
            for how, data in cut.items():
                path.write_bytes(data)
                refused(path, how)
            path.unlink()
            refused(path, "deleted")
            path.write_bytes(whole)

    def _refusal(self, folder: Path) -> str | None:
        """What is said of a folder that cannot be opened; of one that can, nothing."""
        try:
            self.vector_kind().open(folder, count=2000, dimension=DIMENSION, options={})
        except PassageIndexError as error:
            return str(error)
        return None

    def test_options_that_there_are_not(self) -> None:
        """An option that the kind does not have is an `InputError` that names it, before anything is written.

        Where it is not: ``check`` takes what it is given.
        """
        with pytest.raises(InputError, match=NO_OPTION):
            self.vector_kind().check({NO_OPTION: "32"})

    def test_a_build_tells_how_far_it_is(self, tmp_path: Path) -> None:
        """``progress`` hears of every vector once.

        Where it does not: call it with how many more are done, not with how many there are by now.
        """
        done: list[int] = []
        self.vector_kind().write(tmp_path, clustered(300)[0], options={}, progress=done.append)
        assert sum(done) == 300


def damaged(array: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays that are not what was written: of another shape or type, or with contents that lead out of bounds."""
    yield "without its last row", array[:-1]
    yield "with an axis more", array[..., None]
    yield "as float64", array.astype(np.float64)
    if array.dtype.kind == "f":
        middle = np.arange(array.size).reshape(array.shape) == array.size // 2
        yield "with a number that is none", np.where(middle, np.float32(np.nan), array)
        yield "with numbers whose sums are infinite", np.full_like(array, 3e38)
    elif array.dtype != np.uint8:  # eight bits of a code are right, whatever they are
        yield "full of its largest number", np.full_like(array, np.iinfo(array.dtype).max)
        yield "full of its smallest number", np.full_like(array, np.iinfo(array.dtype).min)
        yield "with the same number from the second on", np.concatenate([array[:1], np.full_like(array[1:], 1)])
