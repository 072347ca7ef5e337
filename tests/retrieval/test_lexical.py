"""Words find passages by BM25, from files that are read without pickle."""

from math import log
from pathlib import Path

import numpy as np
import pytest

from tfx_core.embedding.passage_index import Passage
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval.lexical import (
    COUNTS,
    FILES,
    LENGTHS,
    ROWS,
    STARTS,
    WORDS,
    WordIndex,
    WordSearch,
    open_words,
    words_of,
    write_words,
)

TEXTS = ["the cat sat on the mat", "a boat sails on the sea", "", "bread is baked in the oven", "the CAT, again: cat!"]


@pytest.fixture
def words(tmp_path: Path) -> WordIndex:
    return indexed(tmp_path, TEXTS)


def indexed(folder: Path, texts: list[str]) -> WordIndex:
    write_words(folder, iter(texts))
    return WordIndex([open_words(folder, len(texts))])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Straße, naïve & ＷＩＤＥ x_1!", ["the", "strasse", "naïve", "wide", "x_1"]),
        ("東京タワー is 3.5 km", ["東京", "京タ", "タワ", "ワー", "is", "3", "5", "km"]),
        ("水", ["水"]),
        ("ab水c", ["ab", "水", "c"]),
        ("Żółw й", ["żółw", "й"]),
        (" —…\n", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


def score(question: str, row: int) -> float:
    """The formula as it is written, with k1 = 1.5 and b = 0.75; bm25s 0.3.16 gives the same for its method "lucene"."""
    texts = [words_of(text) for text in TEXTS]
    mean = sum(map(len, texts)) / len(texts)
    total = 0.0
    for word in words_of(question):
        having = sum(word in text for text in texts)
        times = texts[row].count(word)
        idf = log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        total += idf * times / (times + 1.5 * (0.25 + 0.75 * len(texts[row]) / mean))
    return total


def test_scores_are_those_of_the_formula(words: WordIndex) -> None:
    for question in ("the cat", "on on sea oven unheard-of", "CAT cat"):
        expected = np.array([score(question, row) for row in range(len(TEXTS))])
        scores, rows = words.search([question], 5)
        found = rows[0] >= 0
        np.testing.assert_allclose(scores[0][found], expected[rows[0][found]], rtol=1e-6)
        assert set(rows[0][found]) == set(np.flatnonzero(expected))
        assert np.isneginf(scores[0][~found]).all()


def test_the_best_come_first_and_equal_ones_by_row(words: WordIndex, tmp_path: Path) -> None:
    assert words.search(["cat"], 9)[1].tolist() == [[4, 0, -1, -1, -1]]
    assert indexed(tmp_path, ["same words"] * 4).search(["words"], 3)[1].tolist() == [[0, 1, 2]]


def test_only_allowed_rows_are_found(words: WordIndex) -> None:
    assert words.search(["cat", "sea"], 2, np.arange(5) == 0)[1].tolist() == [[0, -1], [-1, -1]]


def test_questions_without_a_known_word_find_nothing(words: WordIndex) -> None:
    assert words.search(["zebra", "", "…"], 1)[1].tolist() == [[-1]] * 3
    assert words.search([], 3)[1].shape == (0, 3)
    with pytest.raises(InputError, match="k: 0 passages"):
        words.search(["cat"], 0)


def test_texts_without_a_word(tmp_path: Path) -> None:
    assert indexed(tmp_path, ["", "…"]).search(["a"], 2)[1].tolist() == [[-1, -1]]


def test_the_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_words(tmp_path / name, iter(TEXTS))
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_hits_are_passages_with_their_ranks(words: WordIndex) -> None:
    def passages(rows: np.ndarray) -> list[Passage]:
        return [Passage(TEXTS[row]) for row in rows]

    search = WordSearch(words, passages, lambda where: np.arange(5) != (where or {}).get("but", -1))
    (hits,) = search.search(["the cat"], 9)
    assert [(hit.rank, hit.row) for hit in hits] == [(1, 4), (2, 0), (3, 1), (4, 3)]
    assert [hit.passage.text for hit in hits] == [TEXTS[hit.row] for hit in hits]
    assert [hit.row for hit in search.search(["the cat"], 1, where={"but": 4})[0]] == [0]


def test_segments_are_scored_as_one(words: WordIndex, tmp_path: Path) -> None:
    segments = []
    for name, texts in (("first", TEXTS[:2]), ("second", TEXTS[2:])):
        (tmp_path / name).mkdir()
        write_words(tmp_path / name, texts)
        segments.append(open_words(tmp_path / name, len(texts)))
    for found, expected in zip(WordIndex(segments).search(["the cat"], 5), words.search(["the cat"], 5), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "damaged", "message"),
    [
        (WORDS, b"{", r"words\.json: cannot be read"),
        (WORDS, b'{"words": [1]}', "'words' is no list of strings"),
        (WORDS, b'{"words": []}', r"words\.starts\.npy: .* expected is int64 of shape \(1,\)"),
        (STARTS, np.arange(99), "words.starts.npy: holds"),
        (STARTS, lambda starts: starts[::-1].copy(), "not in ascending order from 0"),
        (ROWS, lambda rows: rows + 5, r"names row \d of 5"),
        (ROWS, lambda rows: rows - 1, "negative"),
        (ROWS, lambda rows: rows[1:], "expected is int32"),
        (COUNTS, lambda counts: counts.astype(np.float32), "expected is int32"),
        (COUNTS, lambda counts: counts.astype(object), "cannot be read"),
        (LENGTHS, lambda lengths: lengths[1:], "expected is int32"),
    ],
)
def test_damaged_files_are_refused(words: WordIndex, tmp_path: Path, name: str, damaged, message: str) -> None:
    if isinstance(damaged, bytes):
        (tmp_path / name).write_bytes(damaged)
    else:
        array = damaged(np.load(tmp_path / name)) if callable(damaged) else damaged
        (tmp_path / name).unlink()
        np.save(tmp_path / name, array, allow_pickle=True)
    with pytest.raises(PassageIndexError, match=message):
        open_words(tmp_path, len(TEXTS))
