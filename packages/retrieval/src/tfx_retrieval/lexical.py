"""Search by words: BM25 over the passages of an index, in arrays that are read in place.

The scores of every word in every passage are computed once, by bm25s in Lucene's variant with k1 = 1.5 and b = 0.75
(Lù, 2024); a search adds up those of the question's words and needs numpy alone.
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
from tfx_core.embedding import Allowed, Passage, RowNumbers, Vectors
from tfx_core.embedding.passage_index import Where
from tfx_core.errors import CheckpointError, InputError, PassageIndexError
from tfx_retrieval.arrays import open_array
from tfx_retrieval.hits import Hit

WORDS, STARTS, ROWS, SCORES = "words.json", "words.starts.npy", "words.rows.npy", "words.scores.npy"
FILES = (WORDS, STARTS, ROWS, SCORES)
"""The words; where the passages of each begin; the passages, word after word; and the scores of the word in them."""

_Starts: TypeAlias = NDArray[np.int64]
_Rows: TypeAlias = NDArray[np.int32]

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
    """Write the files of a `WordIndex` of texts; a text that is empty keeps its row and is never found."""
    vocabulary: dict[str, int] = {}
    numbers = [[vocabulary.setdefault(word, len(vocabulary)) for word in words_of(text)] for text in texts]
    starts, rows, scores = _scored(numbers, vocabulary)
    (folder / WORDS).write_text(json.dumps({"words": list(vocabulary)}, ensure_ascii=False), encoding="utf-8")
    for name, array in ((STARTS, starts), (ROWS, rows), (SCORES, scores)):
        np.save(folder / name, array, allow_pickle=False)


def _scored(numbers: Sequence[Sequence[int]], vocabulary: dict[str, int]) -> tuple[_Starts, _Rows, Vectors]:
    """For every word the rows of the passages that have it, and its score there."""
    try:
        import bm25s
    except ImportError as error:
        raise InputError("words are indexed by bm25s: pip install 'tfx-retrieval[lexical]'") from error
    if not vocabulary:
        return np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    model = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    model.index((numbers, vocabulary), create_empty_token=False, show_progress=False)
    found = model.scores
    starts = found["indptr"].astype(np.int64)[: len(vocabulary) + 1]
    return starts, found["indices"].astype(np.int32), found["data"].astype(np.float32)


class WordIndex:
    """BM25 scores of every word in every row, mapped into memory."""

    def __init__(self, words: Sequence[str], starts: _Starts, rows: _Rows, scores: Vectors, count: int) -> None:
        self._numbers = {word: number for number, word in enumerate(words)}
        self._starts = starts
        self._rows = rows
        self._scores = scores
        self._count = count

    def __len__(self) -> int:
        return self._count

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
            every = self._of_all(question)  # (N,)
            found = np.flatnonzero(every if allowed is None else every * allowed)
            best = found[np.lexsort((found, -every[found]))][:k]
            scores[position, : len(best)] = every[best]
            rows[position, : len(best)] = best
        return scores, rows

    def _of_all(self, question: str) -> Vectors:
        """The score of every row, (N,): the sum over the question's words, 0 where it has none of them."""
        scores = np.zeros(len(self), np.float32)
        for number in (self._numbers[word] for word in words_of(question) if word in self._numbers):
            here = slice(self._starts[number], self._starts[number + 1])
            scores[self._rows[here]] += self._scores[here]
        return scores


def open_words(folder: Path, count: int) -> WordIndex:
    """Open what `write_words` left for ``count`` texts; what is anything else is a `PassageIndexError`."""
    words = _read_words(folder / WORDS)
    starts = cast(_Starts, open_array(folder / STARTS, "<i8", (len(words) + 1,)))
    if starts[0] != 0 or (np.diff(starts) < 0).any():
        raise PassageIndexError(f"{folder / STARTS}: is not in ascending order from 0; build the index again")
    rows = cast(_Rows, open_array(folder / ROWS, "<i4", (int(starts[-1]),)))
    if len(rows) and not 0 <= rows.min() <= rows.max() < count:
        raise PassageIndexError(f"{folder / ROWS}: names rows that are none of 0 to {count - 1}; build the index again")
    scores = cast(Vectors, open_array(folder / SCORES, "<f4", (int(starts[-1]),)))
    if not np.isfinite(scores).all():
        raise PassageIndexError(f"{folder / SCORES}: holds nan or inf; build the index again")
    return WordIndex(words, starts, rows, scores, count)


def _read_words(path: Path) -> list[str]:
    try:
        words = parse_json(path.read_bytes(), f"{path}: cannot be read").get("words")
    except (OSError, CheckpointError) as error:
        raise PassageIndexError(f"{path}: cannot be read: {error}") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise PassageIndexError(f"{path}: 'words' is no list of strings; build the index again")
    return cast(list[str], words)


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
        scores, rows = self._words.search(questions, k, self._allowed(where))
        return [list(self._hits(*found)) for found in zip(scores, rows, strict=True)]

    def _hits(self, scores: Vectors, rows: RowNumbers) -> Iterator[Hit]:
        rows = rows[rows >= 0]
        for rank, (score, row, passage) in enumerate(zip(scores, rows, self._passages(rows), strict=False), start=1):
            yield Hit(rank, float(score), int(row), passage)
