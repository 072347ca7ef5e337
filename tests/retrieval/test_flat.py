"""The flat index answers exactly, keeps passages with vectors, and reads without pickle what it wrote."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tfx_core.embedding.passage_index import Passage, PassageBatch, PassageIndex
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import SearchIndex, open_index, write_index
from tfx_retrieval.flat import KIND
from tfx_retrieval.passage_file import PassageFile
from tfx_retrieval.segments import Segment, SegmentedIndex


def passages(count: int) -> list[Passage]:
    return [Passage(f"text {row}\nwith “marks”\u2028", f"topic {row % 3}", str(row)) for row in range(count)]


def batches(vectors: np.ndarray, size: int = 7) -> Iterator[PassageBatch]:
    everything = passages(len(vectors))
    for start in range(0, len(vectors), size):
        yield everything[start : start + size], vectors[start : start + size]


def build(folder: Path, vectors: np.ndarray) -> SearchIndex:
    write_index(batches(vectors), folder, dimension=vectors.shape[1])
    return open_index(folder)


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)


def test_it_is_a_passage_index(tmp_path: Path, vectors: np.ndarray) -> None:
    assert isinstance(build(tmp_path, vectors).index, PassageIndex)


@pytest.mark.parametrize("queries", [1, 30])
@pytest.mark.parametrize("k", [1, 5, 50, 80])
def test_the_answer_is_the_exact_one(tmp_path: Path, vectors: np.ndarray, queries: int, k: int) -> None:
    index = build(tmp_path, vectors)
    asked = np.random.default_rng(1).standard_normal((queries, 8)).astype(np.float32)
    scores, rows = index.search_vectors(asked, k)
    exact = asked.astype(np.float64) @ vectors.astype(np.float64).T
    best = np.argsort(-exact, axis=1)[:, :k]
    assert scores.shape == rows.shape == (queries, min(k, 50))
    np.testing.assert_array_equal(rows, best)
    np.testing.assert_allclose(scores, np.take_along_axis(exact, best, axis=1), rtol=1e-5, atol=1e-5)


def test_equal_scores_come_in_the_order_of_rows(tmp_path: Path) -> None:
    index = build(tmp_path, np.ones((10, 4), np.float32))
    _, rows = index.search_vectors(np.ones((2, 4), np.float32), 10)
    np.testing.assert_array_equal(rows, [list(range(10))] * 2)


def test_passages_and_vectors_come_back_as_they_were(tmp_path: Path, vectors: np.ndarray) -> None:
    index = build(tmp_path, vectors)
    assert (len(index), index.dimension) == (50, 8)
    assert index.passages([49, 0, 7, 7]) == [passages(50)[row] for row in (49, 0, 7, 7)]
    np.testing.assert_array_equal(index.vectors(np.array([3, 1])), vectors[[3, 1]])
    assert index.passages([]) == []
    assert index.vectors([]).shape == (0, 8)


def test_the_vectors_are_a_plain_npy_file(tmp_path: Path, vectors: np.ndarray) -> None:
    build(tmp_path, vectors)
    np.testing.assert_array_equal(np.load(tmp_path / "vectors.npy", allow_pickle=False), vectors)


def test_what_cannot_be_asked(tmp_path: Path, vectors: np.ndarray) -> None:
    index = build(tmp_path, vectors)
    with pytest.raises(InputError, match=r"queries of shape \(1, 7\): the index is searched with \(number, 8\)"):
        index.search_vectors(np.zeros((1, 7), np.float32), 5)
    with pytest.raises(InputError, match="k: 0 passages"):
        index.search_vectors(np.zeros((1, 8), np.float32), 0)
    with pytest.raises(InputError, match="nan or inf"):
        index.search_vectors(np.full((1, 8), np.nan, np.float32), 1)
    for queries in (np.full((1, 8), 1e300), np.full((1, 8), 3e38, np.float32)):
        with pytest.raises(InputError, match="nan or inf, or their squares"):
            index.search_vectors(queries, 1)
    with pytest.raises(InputError, match="queries of type object"):
        index.search_vectors(np.full((1, 8), "x", object), 1)
    for row in (-1, 50):
        with pytest.raises(InputError, match=f"row {row}: the index has rows 0 to 49"):
            index.passages([0, row])
        with pytest.raises(InputError, match=f"row {row}: the index has rows 0 to 49"):
            index.vectors([row])


def test_what_cannot_be_written(tmp_path: Path) -> None:
    for vectors, message in (
        (np.zeros((2, 3), np.float32), r"vectors of shape \(2, 3\) and type float32 for 2 passages"),
        (np.zeros((2, 4), np.float64), "type float64"),
        (np.full((2, 4), np.nan, np.float32), "passages 0 to 1 hold nan or inf, or their squares do"),
    ):
        with pytest.raises(InputError, match=message):
            write_index([(passages(2), vectors)], tmp_path / "index", dimension=4)
    broken = [Passage("\ud800", "", "x")]
    with pytest.raises(InputError, match="passage 'x': holds half of a surrogate pair"):
        write_index([(broken, np.zeros((1, 4), np.float32))], tmp_path / "index", dimension=4)
    with pytest.raises(InputError, match="index option 'M': a flat index has no options"):
        write_index([], tmp_path / "index", dimension=4, options={"M": "32"})
    assert [*tmp_path.iterdir()] == []


def reopen(folder: Path, count: int = 50) -> SegmentedIndex:
    """What is in a folder, whose checksums are not asked for."""
    vectors = KIND.open(folder, count=count, dimension=8, options={})
    return SegmentedIndex([Segment(vectors, PassageFile(folder, count))], 8)


def test_files_that_do_not_fit_each_other(tmp_path: Path, vectors: np.ndarray) -> None:
    build(tmp_path, vectors)
    with pytest.raises(PassageIndexError, match=r"vectors\.npy: .*\(50, 8\); expected is float32 of shape \(49, 8\)"):
        reopen(tmp_path, 49)
    np.save(tmp_path / "passages.offsets.npy", np.zeros(3, np.int64))
    with pytest.raises(PassageIndexError, match=r"offsets\.npy: .*\(3,\); expected is int64 of shape \(51,\)"):
        reopen(tmp_path)
    np.save(tmp_path / "passages.offsets.npy", np.arange(51, dtype=np.int64) - 5)
    with pytest.raises(PassageIndexError, match="line 1 would be bytes -5 to -4"):
        reopen(tmp_path).passages([0])
    np.save(tmp_path / "vectors.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(PassageIndexError, match=r"vectors\.npy: cannot be read"):
        reopen(tmp_path)


@pytest.mark.parametrize(
    "header",
    ["{'shape': (50, 8", "'" * 3, "((((" * 3000, "{'descr': 'O'}", "\x1b[2J", "{}", "1" * 5000, "", "{[]: 1}",
     "{'descr': [('a', '<f4', (10**9,))], 'fortran_order': False, 'shape': (50, 8)}",
     "{'descr': '<f4', 'fortran_order': False, 'shape': (50, 999999999999999999999)}",
     "{'descr': '<f4', 'fortran_order': False, 'shape': (-50, -8)}",
     "{'descr': '<f4', 'fortran_order': True, 'shape': (50, 8)}",
     "{'descr': '<f4', 'fortran_order': False, 'shape': (50, 8), 'shape': (50, 4)}"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["vectors.npy", "passages.offsets.npy"])
def test_a_damaged_header_is_one_error_that_names_the_file(
    tmp_path: Path, vectors: np.ndarray, name: str, header: str
) -> None:
    build(tmp_path, vectors)
    text = header.encode() + b"\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(1600)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PassageIndexError) as caught:
        reopen(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ['{"text": 1, "topic": "", "id": ""}', '{"text": "", "topic": ""}', "[]", "{" * 9999,
     '{"text": "", "topic": "", "id": "", "metadata": 1}',
     '{"text": "", "topic": "", "id": "", "metadata": {"a": []}}'],
)  # fmt: skip
def test_a_line_that_is_no_passage(tmp_path: Path, vectors: np.ndarray, line: str) -> None:
    build(tmp_path, vectors)
    (tmp_path / "passages.jsonl").write_text(line)
    np.save(tmp_path / "passages.offsets.npy", np.array([0] + [len(line)] * 50))
    with pytest.raises(PassageIndexError, match=r"passages\.jsonl: line 1 is not a passage"):
        reopen(tmp_path).passages([0])
