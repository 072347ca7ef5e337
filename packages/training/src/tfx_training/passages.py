"""Rows of whole sentences, and which of them an epoch has where some languages have more than others."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Places
from tfx_training.languages import drawn_by_share
from tfx_training.rows import Rows


class Passage(NamedTuple):
    """Consecutive sentences of one document, in one language."""

    sentences: tuple[Tokens, ...]

    group: str
    """Their language."""


class Passages(Rows[Passage]):
    """Of each document as many whole sentences as fit into ``length`` tokens, and then as many of the next ones.

    ``between`` tokens are counted between two sentences. A sentence that is longer is cut. No passage has sentences of
    two documents, or two languages; those with fewer than ``least`` sentences are left out.
    (fairseq's ``complete_doc`` in ``fairseq/data/token_block_utils_fast.pyx``.)
    """

    def __init__(self, corpus: TokenCorpus, length: int, *, between: int = 0, least: int = 1) -> None:
        self._corpus = corpus
        cuts = np.fromiter(_cuts(corpus, length, between), dtype=(np.int64, 2))
        first = np.searchsorted(corpus.sentence_ends, cuts[:, 0], side="right")
        counts = np.searchsorted(corpus.sentence_ends, cuts[:, 1]) - first + 1
        enough = counts >= least
        self._cuts = cuts[enough]
        self.counts: Places = counts[enough]
        """``(R,)``, how many sentences each passage has."""
        self.groups: NDArray[Any] = corpus.groups[first[enough]]
        """``(R,)``, of each passage the place of its language in the corpus's names."""

    def __len__(self) -> int:
        return len(self._cuts)

    def row(self, number: int) -> Passage:
        """A passage."""
        begin, end = map(int, self._cuts[number])
        ends = self._corpus.sentence_ends
        first, last = np.searchsorted(ends, begin, side="right"), np.searchsorted(ends, end)
        borders = [begin, *map(int, ends[first:last]), end]
        sentences = tuple(map(self._corpus.between, borders, borders[1:]))
        return Passage(sentences, self._corpus.group_of(int(first)))


def _cuts(corpus: TokenCorpus, length: int, between: int) -> Iterator[tuple[int, int]]:
    """Where each passage begins and ends in the corpus."""
    places = np.concatenate([[0], corpus.sentence_ends])
    counted = places + between * np.arange(len(places))
    changes = np.flatnonzero(np.diff(corpus.groups)) + 1
    first = 0
    for last in map(int, np.union1d(changes, corpus.document_ends)):
        while first < last:
            most = counted[first] + length + between
            after = last if counted[last] <= most else int(np.searchsorted(counted[: last + 1], most, side="right")) - 1
            if after > first:
                yield int(places[first]), int(places[after])
            else:
                after = first + 1
                begin, end = int(places[first]), int(places[after])
                yield from ((each, min(each + length, end)) for each in range(begin, end, length))
            first = after


def balanced(groups: NDArray[Any], exponent: float, generator: np.random.Generator) -> Places:
    """Which rows an epoch has where their languages, ``groups`` ``(R,)``, are drawn by their shares."""
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    read = drawn_by_share([len(each) for each in members], exponent, generator)
    return np.concatenate([each[numbers] for each, numbers in zip(members, read, strict=True)])
