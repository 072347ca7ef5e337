"""Several searches as one, and results that differ from each other."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from tfx_core.embedding import RowNumbers, Vectors, Where
from tfx_core.errors import InputError
from tfx_retrieval.hits import Hit, PassageSearch

_DEPTH, _TIMES = 100, 10
"""Passages of each search that are looked at: a hundred, or ten times as many as are wanted."""


class FusedSearch:
    """Searches over the same passages, whose results are put together by `fused`."""

    def __init__(self, searches: Sequence[PassageSearch], weights: Sequence[float], constant: float) -> None:
        self._searches = searches
        self._weights = weights
        self._constant = constant

    def search(self, questions: Sequence[str], k: int = 5, *, where: Where | None = None) -> list[list[Hit]]:
        """Find the ``k`` best passages for each question, the best first."""
        depth = max(_TIMES * _checked(k), _DEPTH)
        found = [search.search(questions, depth, where=where) for search in self._searches]
        return [self._fused(rankings, k) for rankings in zip(*found, strict=True)]

    def _fused(self, rankings: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
        scores: dict[int, float] = defaultdict(float)
        hits = {hit.row: hit for ranking in rankings for hit in ranking}
        for weight, ranking in zip(self._weights, rankings, strict=True):
            for hit in ranking:
                scores[hit.row] += weight / (self._constant + hit.rank)
        best = sorted(scores, key=lambda row: (-scores[row], row))[:k]
        return [replace(hits[row], rank=rank, score=scores[row]) for rank, row in enumerate(best, start=1)]


def fused(
    searches: Sequence[PassageSearch], *, weights: Sequence[float] | None = None, constant: float = 60
) -> FusedSearch:
    """Search by all of ``searches``, which are over the same rows, by reciprocal-rank fusion.

    The score of a passage is the sum of weight / (constant + rank) over the searches that find it among their best
    hundred, or ten times ``k``, whatever their own scores; equal scores come in the order of rows. The weights are 1
    unless they are given (Cormack, Clarke and Büttcher, 2009).
    """
    if len(searches) < 2:
        raise InputError(f"searches: {len(searches)} to fuse; give two or more")
    weights = [1.0] * len(searches) if weights is None else weights
    if len(weights) != len(searches) or not all(0 < weight < math.inf for weight in weights):
        raise InputError(f"weights: {list(weights)}; give a positive number for each of {len(searches)} searches")
    if constant < 0:
        raise InputError(f"constant: {constant} is negative; the authors take 60")
    return FusedSearch(searches, weights, constant)


def _checked(k: int) -> int:
    if k < 1:
        raise InputError(f"k: {k} passages were asked for; ask for one or more")
    return k


class VectorSource(Protocol):
    """What knows the vectors of rows: an index."""

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return the vectors of these rows, (len(rows), D)."""
        ...


class DiverseSearch:
    """A search whose results are chosen anew by `diverse`."""

    def __init__(self, search: PassageSearch, index: VectorSource, trade_off: float, candidates: int) -> None:
        self._search = search
        self._index = index
        self._trade_off = trade_off
        self._candidates = candidates

    def search(self, questions: Sequence[str], k: int = 5, *, where: Where | None = None) -> list[list[Hit]]:
        """Find ``k`` passages for each question: the best first, then what is good and unlike those before."""
        found = self._search.search(questions, max(_checked(k), self._candidates), where=where)
        return [self._chosen(hits, k) for hits in found]

    def _chosen(self, hits: Sequence[Hit], k: int) -> list[Hit]:
        if not hits:
            return []
        vectors = self._index.vectors([hit.row for hit in hits])
        order = _marginal_order(_relevance(hits), _cosines(vectors), self._trade_off, min(k, len(hits)))
        return [replace(hits[number], rank=rank) for rank, number in enumerate(order, start=1)]


def diverse(
    search: PassageSearch, index: VectorSource, *, trade_off: float = 0.5, candidates: int = 50
) -> DiverseSearch:
    """Choose among the ``candidates`` of a search by maximal marginal relevance (Carbonell and Goldstein, 1998).

    Next comes the passage of highest ``trade_off`` · relevance - (1 - ``trade_off``) · likeness, where relevance is the
    search's score, put between 0 and 1 over the candidates, and likeness the highest cosine with a passage that came
    before, of the vectors that ``index`` has. At 1 the order is the search's. Every passage keeps its own score.
    """
    if not 0 <= trade_off <= 1:
        raise InputError(f"trade_off: {trade_off}; give a number from 0, which asks for variety alone, to 1")
    if candidates < 1:
        raise InputError(f"candidates: {candidates}; give one or more to choose among")
    return DiverseSearch(search, index, trade_off, candidates)


def _relevance(hits: Sequence[Hit]) -> Vectors:
    """Scores between 0 and 1, (C,)."""
    scores = np.array([hit.score for hit in hits], np.float32)
    extent = scores.max() - scores.min()
    return (scores - scores.min()) / extent if extent else np.ones_like(scores)


def _cosines(vectors: Vectors) -> Vectors:
    """(C, D) -> (C, C)."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(unit @ unit.T, np.float32)


def _marginal_order(relevance: Vectors, likeness: Vectors, trade_off: float, k: int) -> list[int]:
    """The numbers of ``k`` of C candidates; ``relevance`` is (C,), ``likeness`` (C, C)."""
    chosen = [int(np.argmax(relevance))]
    while len(chosen) < k:
        marginal = trade_off * relevance - (1 - trade_off) * likeness[:, chosen].max(axis=1)
        marginal[chosen] = -np.inf
        chosen.append(int(np.argmax(marginal)))
    return chosen
