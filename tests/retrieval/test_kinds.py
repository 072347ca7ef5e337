"""Every kind of index keeps what a `VectorIndex` promises: the top ten, filters, threads, and no trust in files."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import cast

import faiss
import numpy as np
import pytest

from tfx_core.embedding import Passage, RowNumbers, VectorIndex, VectorKind, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_core.plugins import IndexSpec, registry
from tfx_retrieval import open_index, write_index

KINDS = {
    entry.spec.name: kind
    for entry in registry.specs(IndexSpec)
    if isinstance(kind := registry.load(IndexSpec, entry.spec.name), VectorKind)
}

RECALL = {"flat": 1.0, "hnsw": 0.95, "ivf-disk": 0.95, "ivf-flat": 0.95, "ivf-pq": 0.5, "sq8": 0.95}
"""What each finds of the exact top ten if nothing is said; codes know least of vectors that vary in all directions."""

EVERYTHING = {"hnsw": {"ef_search": "10000"}} | {f"ivf-{end}": {"nprobe": "10000"} for end in ("disk", "flat", "pq")}
"""Options to search with that leave nothing out."""

COUNT, DIMENSION = 10_000, 64

Opener = Callable[..., VectorIndex]


@cache
def clustered(count: int = COUNT) -> tuple[Vectors, Vectors]:
    """Vectors of length one around some hundred centres, and queries close to some of them."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((100, DIMENSION))
    vectors = centres[random.integers(100, size=count)] + random.standard_normal((count, DIMENSION))
    queries = vectors[:: max(1, count // 100)] + random.standard_normal(vectors[:: max(1, count // 100)].shape)
    return _of_length_one(vectors), _of_length_one(queries)


def _of_length_one(vectors: np.ndarray) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def of_many_lengths() -> tuple[Vectors, Vectors]:
    """Such as DPR gives, whose lengths vary by a tenth."""
    vectors, queries = clustered()
    return vectors * np.random.default_rng(1).normal(10, 1, (COUNT, 1)).astype(np.float32), queries


def best(queries: Vectors, vectors: Vectors, k: int = 10) -> RowNumbers:
    return np.argsort(-(queries.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1, kind="stable")[:, :k]


def recall(found: RowNumbers, exact: RowNumbers) -> float:
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in zip(found.tolist(), exact.tolist(), strict=True)]))


@pytest.fixture(scope="module", params=sorted(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    return cast(str, request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the clustered vectors, with default options."""
    folder = tmp_path_factory.mktemp(name)
    KINDS[name].write(folder, clustered()[0], options={})
    return folder


@pytest.fixture(scope="module")
def index(name: str, folder: Path) -> VectorIndex:
    return KINDS[name].open(folder, count=COUNT, dimension=DIMENSION, options={})


@pytest.fixture(scope="module")
def thorough(name: str, folder: Path) -> VectorIndex:
    """The same files, searched whole."""
    return KINDS[name].open(folder, count=COUNT, dimension=DIMENSION, options=EVERYTHING.get(name, {}))


@pytest.fixture
def made(name: str, tmp_path: Path) -> Opener:
    """Write and open an index of some vectors."""

    def make(vectors: Vectors, **options: str) -> VectorIndex:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        place.mkdir()
        KINDS[name].write(place, vectors, options=options)
        return KINDS[name].open(place, count=len(vectors), dimension=vectors.shape[1], options=options)

    return make


def test_searched_whole_it_gives_the_top_ten_of_the_vectors_that_it_keeps(thorough: VectorIndex) -> None:
    _, queries = clustered()
    kept = thorough.vectors(np.arange(COUNT))
    scores, rows = thorough.search(queries, 10)
    exact = queries @ kept.T
    np.testing.assert_allclose(scores, -np.sort(-exact, axis=1)[:, :10], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(exact, rows, axis=1), scores, rtol=1e-4, atol=1e-4)


def test_by_default_it_finds_what_is_promised(name: str, index: VectorIndex) -> None:
    vectors, queries = clustered()
    assert recall(index.search(queries, 10)[1], best(queries, vectors)) >= RECALL[name]


def test_vectors_of_other_lengths_are_found_as_well(name: str, made: Opener) -> None:
    vectors, queries = of_many_lengths()
    assert recall(made(vectors).search(queries, 10)[1], best(queries, vectors)) >= RECALL[name]


def test_lengths_that_vary_by_orders_of_magnitude(name: str, made: Opener) -> None:
    """One query finds the same few long vectors as the other."""
    vectors, queries = clustered(2000)
    vectors = vectors * np.exp(np.random.default_rng(1).normal(0, 1.5, (2000, 1))).astype(np.float32)
    assert recall(made(vectors).search(queries, 10)[1], best(queries, vectors)) >= RECALL[name] - 0.1


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.0005])
def test_only_what_is_allowed_is_found_and_of_it_enough(name: str, index: VectorIndex, share: float) -> None:
    vectors, queries = clustered()
    allowed = np.random.default_rng(2).random(COUNT) < share
    rows = index.search(queries, 10, allowed)[1]
    there = min(10, int(allowed.sum()))
    assert allowed[rows[:, :there]].all()
    assert (rows[:, there:] == -1).all()
    candidates = np.flatnonzero(allowed)
    assert recall(rows[:, :there], candidates[best(queries, vectors[candidates], there)]) >= RECALL[name]


def test_what_is_allowed_may_be_far_from_the_query(index: VectorIndex) -> None:
    vectors, queries = clustered()
    far = np.zeros(COUNT, np.bool_)
    far[np.argsort(vectors @ queries[0])[:2000]] = True
    scores, rows = index.search(queries[:1], 50, far)
    assert far[rows].all()
    assert np.isfinite(scores).all()


def test_where_nothing_is_allowed_nothing_is_found(index: VectorIndex) -> None:
    scores, rows = index.search(clustered()[1][:3], 4, np.zeros(COUNT, np.bool_))
    assert (rows == -1).all()
    assert (scores == -np.inf).all()


def test_all_vectors_can_be_asked_for(index: VectorIndex) -> None:
    scores, rows = index.search(clustered()[1][:2], COUNT)
    assert (np.sort(rows, axis=1) == np.arange(COUNT)).all()
    assert (np.diff(scores, axis=1) <= 0).all()


def test_no_question_has_no_answer(index: VectorIndex) -> None:
    scores, rows = index.search(np.empty((0, DIMENSION), np.float32), 3)
    assert scores.shape == rows.shape == (0, 3)


def test_vectors_come_back(name: str, index: VectorIndex) -> None:
    vectors, _ = clustered()
    rows = np.array([COUNT - 1, 3, 3, 0])
    if KINDS[name].keeps_vectors:
        np.testing.assert_array_equal(index.vectors(rows), vectors[rows])
    assert index.vectors(rows).dtype == np.float32
    assert np.linalg.norm(index.vectors(rows) - vectors[rows], axis=1).max() < 0.5
    assert index.vectors(np.empty(0, np.int64)).shape == (0, DIMENSION)


@pytest.mark.parametrize("count", [1, 2, 3, 40])
@pytest.mark.parametrize("dimension", [1, 7, 24])
def test_few_vectors_of_any_dimension(made: Opener, count: int, dimension: int) -> None:
    """Fewer than clusters, or than entries of a codebook: then each is one."""
    vectors = np.random.default_rng(count).standard_normal((count, dimension)).astype(np.float32)
    index = made(vectors)
    np.testing.assert_allclose(index.vectors(np.arange(count)), vectors, atol=0.02)
    scores, rows = index.search(vectors[:1], count)
    assert (np.sort(rows) == np.arange(count)).all()
    np.testing.assert_allclose(scores, -np.sort(-vectors[:1] @ vectors.T), atol=0.1)


@pytest.mark.parametrize("vector", [np.zeros(8), np.ones(8)], ids=["zero", "one"])
def test_copies_of_one_vector_come_in_the_order_of_rows(made: Opener, vector: np.ndarray) -> None:
    index = made(np.tile(vector, (300, 1)).astype(np.float32))
    scores, rows = index.search(np.ones((2, 8), np.float32), 300)
    assert (rows == np.arange(300)).all()
    np.testing.assert_allclose(scores, vector.sum(), rtol=1e-5)


def test_the_same_vectors_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    """However many threads there are, of which the number stays as it was."""
    before = faiss.omp_get_max_threads()
    try:
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            (tmp_path / str(threads)).mkdir()
            KINDS[name].write(tmp_path / str(threads), clustered(2000)[0], options={})
            assert faiss.omp_get_max_threads() == threads
    finally:
        faiss.omp_set_num_threads(before)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / each).iterdir()} for each in "12")
    assert one == two


def test_what_is_open_outlives_its_folder(name: str, made: Opener, tmp_path: Path) -> None:
    vectors, queries = clustered(300)
    index = made(vectors)
    before = index.search(queries, 5)[1]
    for path in (tmp_path / "0").iterdir():
        path.unlink()
    np.testing.assert_array_equal(index.search(queries, 5)[1], before)


def test_many_threads_search_at_once(index: VectorIndex) -> None:
    _, queries = clustered()
    allowed = np.arange(COUNT) % 2 == 0
    alone = [index.search(queries, 10, each) for each in (None, allowed)]
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda number: index.search(queries, 10, allowed if number % 2 else None), range(16)))
    for number, found in enumerate(many):
        np.testing.assert_array_equal(found[1], alone[number % 2][1])


def test_it_serves_an_index_folder(name: str, tmp_path: Path) -> None:
    vectors, queries = clustered(500)
    passages = [Passage(f"text {row}", id=str(row)) for row in range(len(vectors))]
    write_index([(passages, vectors)], tmp_path / "index", dimension=DIMENSION, kind=name)
    index = open_index(tmp_path / "index")
    rows = index.search_vectors(queries, 1000)[1]
    assert rows.shape == (len(queries), 500)
    assert recall(rows[:, :10], best(queries, vectors)) >= RECALL[name]
    assert index.passages(rows[0, :1])[0].text == f"text {rows[0, 0]}"


def damaged(array: np.ndarray) -> Iterator[np.ndarray]:
    """Arrays that are not what was written: of another shape or type, or with contents that lead out of bounds."""
    yield array[:-1]
    yield array[..., None]
    yield array.astype(np.float64)
    if array.dtype.kind == "f":
        yield np.where(np.arange(array.size).reshape(array.shape) == array.size // 2, np.float32(np.nan), array)
        yield np.full_like(array, 3e38)
    elif array.dtype != np.uint8:  # eight bits of a code are right, whatever they are
        yield np.full_like(array, np.iinfo(array.dtype).max)
        yield np.full_like(array, np.iinfo(array.dtype).min)
        yield np.concatenate([array[:1], np.full_like(array[1:], 1)])


def test_damaged_files_are_refused(name: str, made: Opener, tmp_path: Path) -> None:
    made(clustered(2000)[0])
    folder = tmp_path / "0"

    def refused() -> None:
        with pytest.raises(PassageIndexError, match=re.escape(f"{folder}/")):
            KINDS[name].open(folder, count=2000, dimension=DIMENSION, options={})

    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for array in damaged(np.load(path)):
            np.save(path, array)
            refused()
        for data in (b"", whole[:-1], whole + b"\0", whole[:40]):
            path.write_bytes(data)
            refused()
        path.unlink()
        refused()
        path.write_bytes(whole)


def test_options_that_there_are_not(name: str) -> None:
    with pytest.raises(InputError, match=rf"index option 'M': an? .*{name} index|kind {name} has"):
        KINDS[name].check({"M": "32"})


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("hnsw", "m", "1", "index option m=1: must be an integer from 2 to 256"),
        ("hnsw", "ef_search", "many", "index option ef_search='many': must be an integer from 1 to 10000"),
        ("ivf-flat", "nprobe", "0", "index option nprobe=0: must be an integer from 1 to 1.04858e.06, or None"),
        ("ivf-disk", "nlist", "1.5", "index option nlist='1.5': must be an integer"),
        ("ivf-pq", "pq_bits", "9", "index option pq_bits=9: must be an integer from 4 to 8"),
    ],
)
def test_options_of_a_wrong_value(name: str, option: str, value: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KINDS[name].check({option: value})


def test_more_pieces_than_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="index option pq_m=65: the vectors have only 64 numbers"):
        KINDS["ivf-pq"].write(tmp_path, clustered()[0], options={"pq_m": "65"})


@pytest.mark.parametrize(
    "options", [{"pq_bits": "4"}, {"pq_bits": "6", "pq_m": "5"}, {"nlist": "1"}, {"nlist": "9999"}]
)
def test_other_codes_and_lists(tmp_path: Path, options: dict[str, str]) -> None:
    vectors, queries = clustered(2000)
    KINDS["ivf-pq"].write(tmp_path, vectors, options=options)
    index = KINDS["ivf-pq"].open(tmp_path, count=2000, dimension=DIMENSION, options={**options, "nprobe": "9999"})
    scores, _ = index.search(queries, 10)
    kept = index.vectors(np.arange(2000))
    np.testing.assert_allclose(scores, -np.sort(-(queries @ kept.T), axis=1)[:, :10], rtol=1e-4, atol=1e-4)


def test_a_neighbour_in_a_layer_that_it_is_not_in(tmp_path: Path) -> None:
    """What FAISS would read of it lies beyond its neighbours."""
    vectors, _ = clustered(2000)
    KINDS["hnsw"].write(tmp_path, vectors, options={})
    levels, neighbours = np.load(tmp_path / "levels.npy"), np.load(tmp_path / "neighbours.npy")
    high = int(np.flatnonzero(levels > 1)[0])
    begin = int(((levels[:high].astype(np.int64) + 1) * 32).sum()) + 64
    neighbours[begin] = int(np.flatnonzero(levels == 1)[0])
    np.save(tmp_path / "neighbours.npy", neighbours)
    with pytest.raises(PassageIndexError, match=r"neighbours\.npy: names neighbours that there are not"):
        KINDS["hnsw"].open(tmp_path, count=2000, dimension=DIMENSION, options={})


def test_a_build_tells_how_far_it_is(name: str, tmp_path: Path) -> None:
    done: list[int] = []
    KINDS[name].write(tmp_path, clustered(300)[0], options={}, progress=done.append)
    assert sum(done) == 300
