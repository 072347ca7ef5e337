"""Rankings are fused by their ranks alone, and diversity trades relevance for unlikeness."""

from collections.abc import Sequence

import numpy as np
import pytest

from tfx_core.embedding.passage_index import Passage, Vectors, Where
from tfx_core.errors import InputError
from tfx_retrieval.fusion import diverse, fused
from tfx_retrieval.hits import Hit


class Fixed:
    """Finds the same rows for every question."""

    def __init__(self, *found: tuple[int, float]) -> None:
        self.found = found
        self.asked: list[tuple[int, Where | None]] = []

    def search(self, questions: Sequence[str], k: int = 5, *, where: Where | None = None) -> list[list[Hit]]:
        self.asked.append((k, where))
        hits = [Hit(rank, score, row, Passage(str(row))) for rank, (row, score) in enumerate(self.found, start=1)]
        return [hits[:k] for _ in questions]


class Plane:
    """Vectors at these angles."""

    def __init__(self, *degrees: float) -> None:
        self.angles = np.deg2rad(degrees)

    def vectors(self, rows) -> Vectors:
        return np.stack([3 * np.cos(self.angles[rows]), 3 * np.sin(self.angles[rows])], axis=1).astype(np.float32)


def test_ranks_count_and_not_scores() -> None:
    search = fused([Fixed((7, 900.0), (3, 1.0)), Fixed((3, 0.1), (5, 0.0))])
    first, second = search.search(["a", "b"], 2)
    assert first == second
    assert [(hit.rank, hit.row, hit.passage.text) for hit in first] == [(1, 3, "3"), (2, 7, "7")]
    assert [hit.score for hit in first] == pytest.approx([1 / 62 + 1 / 61, 1 / 61])


def test_weights_count() -> None:
    hits = fused([Fixed((1, 1.0)), Fixed((2, 1.0))], weights=(1, 3)).search(["a"])[0]
    assert [(hit.row, hit.score) for hit in hits] == [(2, 3 / 61), (1, 1 / 61)]


def test_equal_scores_come_in_the_order_of_rows() -> None:
    hits = fused([Fixed((9, 1.0)), Fixed((2, 1.0)), Fixed((4, 1.0))], constant=0).search(["a"])[0]
    assert [(hit.row, hit.score) for hit in hits] == [(2, 1.0), (4, 1.0), (9, 1.0)]


def test_searches_are_asked_deeper_and_with_the_conditions() -> None:
    one, other = Fixed(), Fixed()
    assert fused([one, other]).search(["a"], 3, where={"x": 1}) == [[]]
    assert one.asked == other.asked == [(100, {"x": 1})]
    fused([one, other]).search(["a"], 300)
    assert one.asked[1] == (3000, None)


def test_an_unlike_passage_goes_before_a_better_one_that_repeats() -> None:
    search, plane = Fixed((0, 9.0), (1, 8.9), (2, 5.0), (3, 1.0)), Plane(0, 1, 90, 92)
    for trade_off, expected in ((1.0, [0, 1, 2, 3]), (0.5, [0, 2, 1, 3]), (0.0, [0, 3, 2, 1])):
        hits = diverse(search, plane, trade_off=trade_off).search(["a"], 4)[0]
        assert [hit.row for hit in hits] == expected
        assert [hit.rank for hit in hits] == [1, 2, 3, 4]
        assert {hit.row: hit.score for hit in hits} == dict(search.found)


def test_diversity_chooses_among_more_candidates_than_are_wanted() -> None:
    search = Fixed((0, 9.0), (1, 8.9), (2, 5.0))
    assert [hit.row for hit in diverse(search, Plane(0, 1, 90)).search(["a"], 2, where={"x": 1})[0]] == [0, 2]
    assert search.asked == [(50, {"x": 1})]
    assert diverse(Fixed(), Plane()).search(["a"]) == [[]]
    assert [hit.row for hit in diverse(Fixed((0, 1.0), (1, 1.0)), Plane(0, 5)).search(["a"], 9)[0]] == [0, 1]


def test_what_means_nothing() -> None:
    with pytest.raises(InputError, match="searches: 1 to fuse"):
        fused([Fixed()])
    for weights in ((1.0,), (1.0, 0.0), (1.0, float("nan"))):
        with pytest.raises(InputError, match=r"weights: .* give a positive number for each of 2 searches"):
            fused([Fixed(), Fixed()], weights=weights)
    with pytest.raises(InputError, match="constant: -1 is negative"):
        fused([Fixed(), Fixed()], constant=-1)
    for trade_off in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="trade_off"):
            diverse(Fixed(), Plane(), trade_off=trade_off)
    with pytest.raises(InputError, match="candidates: 0"):
        diverse(Fixed(), Plane(), candidates=0)
    for search in (fused([Fixed(), Fixed()]), diverse(Fixed(), Plane())):
        with pytest.raises(InputError, match="k: 0"):
            search.search(["a"], 0)
