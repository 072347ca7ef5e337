"""The index against a comparison with every vector, alone and in a folder of tfx-retrieval."""

from pathlib import Path

import numpy as np
import pytest

from tfx_binary_index.kind import KIND
from tfx_binary_index.search import signs
from tfx_core.embedding import Passage, VectorIndex, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import open_index, write_index


def vectors(count: int, dimension: int, seed: int = 0) -> Vectors:
    made = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def written(folder: Path, given: Vectors, **options: str) -> VectorIndex:
    KIND.write(folder, given, options=options)
    return KIND.open(folder, count=len(given), dimension=given.shape[1], options=options)


def test_signs_are_one_bit_each() -> None:
    assert signs(np.array([[1, -1, 0, 2, 1, 1, 1, 1, 0.5]], np.float32)).tolist() == [[0b10011111, 0b10000000]]


def test_compared_again_the_best_are_those_of_all_vectors(tmp_path: Path) -> None:
    given, queries = vectors(300, 30), vectors(5, 30, seed=1)
    index = written(tmp_path, given, oversampling="60")
    scores, rows = index.search(queries, 5)
    kept = index.vectors(np.arange(300))
    assert rows.tolist() == np.argsort(-(queries @ kept.T), kind="stable", axis=1)[:, :5].tolist()
    np.testing.assert_allclose(scores, np.take_along_axis(queries @ kept.T, rows, 1), rtol=1e-5, atol=1e-6)
    assert np.abs(kept - given).max() <= np.abs(given).max() / 254 + 1e-7


def test_few_of_many_are_compared_again(tmp_path: Path) -> None:
    given = vectors(2000, 64)
    index = written(tmp_path, given)
    _, rows = index.search(given[:50], 1)
    assert rows[:, 0].tolist() == list(range(50))  # each is the nearest of itself, by signs too
    near = given[:200] + 0.3 * vectors(200, 64, seed=2)
    exact = np.argsort(-(near @ given.T), axis=1)[:, :10]

    def recall(oversampling: str) -> float:
        folder = tmp_path / oversampling
        folder.mkdir()
        rows = written(folder, given, oversampling=oversampling).search(near, 10)[1]
        return sum(len({*own} & {*best}) for own, best in zip(rows.tolist(), exact.tolist(), strict=True)) / exact.size

    assert 0.2 < recall("1") < recall("8") < recall("40")
    assert recall("100") > 0.95


def test_only_what_is_allowed_is_found_and_the_rest_is_filled_up(tmp_path: Path) -> None:
    given = vectors(40, 12)
    allowed = np.zeros(40, bool)
    allowed[[3, 17, 30]] = True
    scores, rows = written(tmp_path, given).search(given[:2], 5, allowed)
    assert {*rows[0, :3].tolist()} == {3, 17, 30}
    assert rows[:, 3:].tolist() == [[-1, -1]] * 2
    assert np.isneginf(scores[:, 3:]).all()


def test_equal_scores_come_in_the_order_of_rows(tmp_path: Path) -> None:
    one = np.zeros((6, 8), np.float32)
    one[:, 0] = 1
    assert written(tmp_path, one).search(one[:1], 4)[1].tolist() == [[0, 1, 2, 3]]


def test_a_vector_of_zeros_is_kept_as_it_is(tmp_path: Path) -> None:
    assert not written(tmp_path, np.zeros((2, 8), np.float32)).vectors(np.arange(2)).any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bits": "2"}, "index option 'bits': a binary index has the options oversampling"),
        ({"oversampling": "0"}, "index option oversampling=0: must be an integer at least 1"),
        ({"oversampling": "much"}, "index option oversampling='much': must be an integer at least 1"),
    ],
)
def test_other_options_are_refused_before_anything_is_written(
    options: dict[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        KIND.check(options)
    with pytest.raises(InputError, match=said):
        KIND.write(tmp_path, vectors(3, 8), options=options)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_it_is_searched_narrowed_and_changed(tmp_path: Path) -> None:
    given = vectors(50, 20)
    passages = [Passage(f"text {row}", id=str(row), metadata={"even": row % 2 == 0}) for row in range(50)]
    write_index([(passages, given)], tmp_path, dimension=20, kind="binary", options={"oversampling": "50"})
    index = open_index(tmp_path)
    scores, rows = index.search_vectors(given[:4], 3)
    assert rows[:, 0].tolist() == [0, 1, 2, 3]
    assert (np.diff(scores, axis=1) <= 0).all()
    _, rows = index.search_vectors(given[:4], 3, where={"even": True})
    assert (rows % 2 == 0).all()
    assert [each.text for each in index.passages(rows[0])] == [f"text {row}" for row in rows[0].tolist()]
    with pytest.raises(InputError, match="has the options oversampling"):
        write_index([(passages, given)], tmp_path / "x", dimension=20, kind="binary", options={"bits": "1"})


DAMAGE = [(name, content) for name in ("signs.npy", "numbers.npy", "lengths.npy") for content in (
    None, b"", b"no array", "smaller", "object")]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), [*DAMAGE, ("lengths.npy", "nan")])
def test_a_file_that_is_none_of_its_own_is_refused(name: str, content: object, tmp_path: Path) -> None:
    written(tmp_path, vectors(20, 16))
    file = tmp_path / name
    if content is None:
        file.unlink()
    elif isinstance(content, bytes):
        file.write_bytes(content)
    else:
        before = np.load(file)
        bad = {"smaller": before[:-1], "object": np.array([{}]), "nan": np.full(20, np.nan, np.float32)}[str(content)]
        np.save(file, bad, allow_pickle=True)
    with pytest.raises(PassageIndexError, match=name):
        KIND.open(tmp_path, count=20, dimension=16, options={})
