"""Search by words: BM25 over the passages of an index, from counts in arrays that are read in place.

The score of a passage is the sum over the question's words of idf · tf / (tf + k1 · (1 - b + b · length / mean)), where
idf = log(1 + (N - df + 0.5) / (df + 0.5)), with k1 = 1.5 and b = 0.75 (Robertson and Zaragoza, 2009, in Lucene's form).
Kept are counts and not scores, so that segments which came one after the other are scored as one.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from tfx_core.checkpoint import parse_json
from tfx_core.embedding import Allowed, Passage, RowNumbers, Vectors, Where
from tfx_core.errors import CheckpointError, InputError, PassageIndexError
from tfx_retrieval.arrays import open_array
from tfx_retrieval.embedding import embedding_text
from tfx_retrieval.hits import Hit
from tfx_retrieval.passage_file import OFFSETS, PassageFile

WORDS, STARTS, ROWS = "words.json", "words.starts.npy", "words.rows.npy"
"""The words; where the rows of each begin, int64; and the rows that have it, int32, word after word."""

COUNTS, LENGTHS = "words.counts.npy", "words.lengths.npy"
"""How often each of those rows has the word, and how many words every row has, int32."""

FILES = (WORDS, STARTS, ROWS, COUNTS, LENGTHS)

_K1, _B = np.float32(1.5), np.float32(0.75)

_Numbers: TypeAlias = NDArray[np.int32]

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"([{_UNSPACED}]+)|[^\W{_UNSPACED}]+")


def words_of(text: str) -> list[str]:
    """Cut a text into words: runs of letters and digits of its NFKC form, without case.

    Chinese and Japanese, which put no blanks between words, are cut into overlapping pairs of characters. No word is
    left out and none is reduced to a stem, which would be right for one language only.
    """
    words = []
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        words += _pairs(run[0]) if run[1] else [run[0]]
    return words


def _pairs(run: str) -> list[str]:
    return [run[start : start + 2] for start in range(max(1, len(run) - 1))]


def write_words(folder: Path, texts: Iterable[str]) -> None:
    """Write the files of `Postings` of texts; a text that is empty keeps its row and is never found."""
    vocabulary: dict[str, int] = {}
    each = [
        np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words_of(text)], np.int64) for text in texts
    ]
    lengths = np.array([len(words) for words in each], np.int32)
    rows = np.repeat(np.arange(len(each)), lengths)
    pairs, counts = np.unique(np.concatenate([*each, rows[:0]]) * len(each) + rows, return_counts=True)
    words, rows = np.divmod(pairs, max(1, len(each)))
    starts = np.searchsorted(words, np.arange(len(vocabulary) + 1))
    (folder / WORDS).write_text(json.dumps({"words": list(vocabulary)}, ensure_ascii=False), encoding="utf-8")
    for name, array, kind in (
        (STARTS, starts, "<i8"),
        (ROWS, rows, "<i4"),
        (COUNTS, counts, "<i4"),
        (LENGTHS, lengths, "<i4"),
    ):
        np.save(folder / name, array.astype(kind), allow_pickle=False)


class Postings:
    """Which rows of a segment have which words, and how often, mapped into memory."""

    def __init__(
        self, words: Sequence[str], starts: RowNumbers, rows: _Numbers, counts: _Numbers, lengths: _Numbers
    ) -> None:
        self.lengths = lengths
        self._numbers = {word: number for number, word in enumerate(words)}
        self._starts, self._rows, self._counts = starts, rows, counts

    def of(self, word: str) -> tuple[_Numbers, _Numbers]:
        """The rows that have a word, in ascending order, and how often each has it."""
        number = self._numbers.get(word)
        here = slice(0) if number is None else slice(self._starts[number], self._starts[number + 1])
        return self._rows[here], self._counts[here]


def open_words(folder: Path, count: int) -> Postings:
    """Open what `write_words` left for ``count`` texts; what is anything else is a `PassageIndexError`."""
    words = _read_words(folder / WORDS)
    starts: RowNumbers = open_array(folder / STARTS, "<i8", (len(words) + 1,))
    if starts[0] != 0 or (np.diff(starts) < 0).any():
        raise PassageIndexError(f"{folder / STARTS}: is not in ascending order from 0; build the index again")
    rows, counts = (_numbers(folder / name, int(starts[-1])) for name in (ROWS, COUNTS))
    if len(rows) and rows.max() >= count:
        raise PassageIndexError(f"{folder / ROWS}: names row {rows.max()} of {count}; build the index again")
    return Postings(words, starts, rows, counts, _numbers(folder / LENGTHS, count))


def _numbers(path: Path, count: int) -> _Numbers:
    numbers: _Numbers = open_array(path, "<i4", (count,))
    if count and numbers.min() < 0:
        raise PassageIndexError(f"{path}: holds negative numbers; build the index again")
    return numbers


def _read_words(path: Path) -> list[str]:
    try:
        words = parse_json(path.read_bytes(), f"{path}: cannot be read").get("words")
    except (OSError, CheckpointError) as error:
        raise PassageIndexError(f"{path}: cannot be read: {error}") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise PassageIndexError(f"{path}: 'words' is no list of strings; build the index again")
    return cast(list[str], words)


class WordIndex:
    """BM25 over segments, whose rows are numbered one after the other."""

    def __init__(self, segments: Sequence[Postings]) -> None:
        self._segments = segments
        self._starts = np.cumsum([0, *(len(segment.lengths) for segment in segments)])
        lengths = np.concatenate([segment.lengths for segment in segments]).astype(np.float32)
        self._norms = _K1 * (1 - _B + _B * lengths / max(1, lengths.mean()))  # (N,)

    def __len__(self) -> int:
        return len(self._norms)

    def search(self, questions: Sequence[str], k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        """Find the rows of the highest scores, each (Q, min(k, len(self))), -inf and -1 where fewer have a word.

        Rows of equal score come in ascending order; ``allowed`` says which may be found, (len(self),).
        """
        if k < 1:
            raise InputError(f"k: {k} passages were asked for; ask for one or more")
        k = min(k, len(self))
        scores = np.full((len(questions), k), -np.inf, np.float32)
        rows = np.full((len(questions), k), -1, np.int64)
        for position, question in enumerate(questions):
            every = self._scores(question)
            found = np.flatnonzero(every if allowed is None else every * allowed)
            best = found[np.lexsort((found, -every[found]))][:k]
            scores[position, : len(best)] = every[best]
            rows[position, : len(best)] = best
        return scores, rows

    def _scores(self, question: str) -> Vectors:
        """The score of every row, (N,); 0 where it has none of the question's words."""
        scores = np.zeros(len(self), np.float32)
        for word in words_of(question):
            rows, counts = self._having(word)
            idf = np.log1p((len(self) - len(rows) + 0.5) / (len(rows) + 0.5)).astype(np.float32)
            scores[rows] += idf * counts / (counts + self._norms[rows])
        return scores

    def _having(self, word: str) -> tuple[RowNumbers, Vectors]:
        """The rows of all segments that have a word, and how often each has it."""
        found = [segment.of(word) for segment in self._segments]
        rows = [rows + start for (rows, _), start in zip(found, self._starts, strict=False)]
        return np.concatenate(rows), np.concatenate([counts for _, counts in found]).astype(np.float32)


def write_words_of(folder: Path, *, topic_prefix: bool) -> None:
    """Write the words of the passages of a segment beside them, those of topics too if they are embedded."""
    passages = PassageFile(folder, len(np.load(folder / OFFSETS, mmap_mode="r")) - 1)
    each = (passages.read([row])[0] for row in range(len(passages)))
    write_words(folder, (embedding_text(passage, topic_prefix=topic_prefix) for passage in each))


class WordSearch:
    """Passages by the words of a question, see `tfx_retrieval.hits.PassageSearch`; a score is BM25's.

    Found is what has a word of the question. ``passages`` gives those of rows, and ``allowed`` which rows may be found:
    what was not deleted and fits the conditions.
    """

    def __init__(
        self,
        words: WordIndex,
        passages: Callable[[RowNumbers], list[Passage]],
        allowed: Callable[[Where | None], Allowed | None] = lambda where: None,
    ) -> None:
        self._words = words
        self._passages = passages
        self._allowed = allowed

    def search(self, questions: Sequence[str], k: int = 5, *, where: Where | None = None) -> list[list[Hit]]:
        """Find the ``k`` best passages for each question, the best first."""
        if isinstance(questions, str):
            raise InputError("questions: give a list of questions, not one string")
        scores, rows = self._words.search(questions, k, self._allowed(where))
        return [list(self._hits(*found)) for found in zip(scores, rows, strict=True)]

    def _hits(self, scores: Vectors, rows: RowNumbers) -> Iterator[Hit]:
        rows = rows[rows >= 0]
        for rank, (score, row, passage) in enumerate(zip(scores, rows, self._passages(rows), strict=False), start=1):
            yield Hit(rank, float(score), int(row), passage)
