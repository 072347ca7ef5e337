"""Filters by their definitions, on distributions that one can see through."""

import pytest
import torch
from torch import Tensor

from tfx_core.generation import GenerationOptions, filters
from tfx_core.generation.filters import warped


def kept(scores: Tensor) -> list[list[int]]:
    """Which candidates of each row are left."""
    return [row.isfinite().nonzero().flatten().tolist() for row in scores]


def logits(*rows: list[float]) -> Tensor:
    """Scores with these probabilities."""
    return torch.tensor(rows).log()


def test_top_h_keeps_what_reaches_a_share_of_the_entropy() -> None:
    # of 0.5, 0.25, 0.125, 0.125 the terms are 0.5, 0.5, 0.375 and 0.375 bits
    scores = logits([0.125, 0.5, 0.25, 0.125])
    assert [kept(filters.top_h(scores, share))[0] for share in (0.1, 0.3, 0.6)] == [[1], [1], [1, 2]]
    assert kept(filters.top_h(scores, 0.1, keep=2)) == [[1, 2]]
    assert len(kept(filters.top_h(torch.zeros(1, 300), 0.5))[0]) == 300  # all are equal
    assert len(kept(filters.top_h(torch.arange(300.0)[None] / 1000, 1.0))[0]) == 100


def test_top_p_keeps_the_fewest_that_reach_the_mass() -> None:
    scores = logits([0.1, 0.5, 0.4], [0.7, 0.2, 0.1])
    assert kept(filters.top_p(scores, 0.45)) == [[1], [0]]
    assert kept(filters.top_p(scores, 0.65)) == [[1, 2], [0]]
    assert kept(filters.top_p(scores, 0.95)) == [[0, 1, 2], [0, 1, 2]]
    assert kept(filters.top_p(scores, 0.0)) == [[1], [0]]
    assert kept(filters.top_p(scores, 0.0, keep=2)) == [[1, 2], [0, 1]]


@pytest.mark.parametrize(
    ("probabilities", "mass", "count"),
    [
        ([0.4, 0.3, 0.2, 0.1], 0.7, 2),
        ([0.4, 0.3, 0.2, 0.1], 0.9, 3),
        ([0.5, 0.25, 0.25], 0.75, 2),
        ([0.5, 0.25, 0.15, 0.1], 0.5, 1),
        ([0.5, 0.25, 0.15, 0.1], 0.9, 3),
    ],
)
def test_top_p_needs_no_more_where_the_mass_is_met_exactly(probabilities: list[float], mass: float, count: int) -> None:
    assert kept(filters.top_p(logits(probabilities), mass)) == [list(range(count))]


def test_top_p_takes_the_first_of_equal_ones() -> None:
    scores = logits([0.25, 0.25, 0.25, 0.25], [0.2, 0.4, 0.2, 0.2])
    assert kept(filters.top_p(scores, 0.45)) == [[0, 1], [0, 1]]
    assert kept(filters.top_p(scores, 0.7)) == [[0, 1, 2], [0, 1, 2]]


def test_top_k_keeps_what_ties_with_the_last() -> None:
    scores = logits([0.1, 0.3, 0.3, 0.3], [0.4, 0.3, 0.2, 0.1])
    assert kept(filters.top_k(scores, 2)) == [[1, 2, 3], [0, 1]]
    assert kept(filters.top_k(scores, 1, keep=3)) == [[1, 2, 3], [0, 1, 2]]


def test_min_p_is_relative_to_the_most_probable() -> None:
    scores = logits([0.5, 0.3, 0.15, 0.05])
    assert kept(filters.min_p(scores, 0.35)) == [[0, 1]]
    assert kept(filters.min_p(scores, 1.0, keep=2)) == [[0, 1]]


def test_typical_p_leaves_out_what_is_too_certain() -> None:
    """The expected information is 1.1 nats: 0.3 is closest to it, the most probable token farther away."""
    scores = logits([0.5, 0.3, 0.1, 0.1])
    assert kept(filters.typical_p(scores, 0.2)) == [[1]]
    assert kept(filters.typical_p(scores, 0.7)) == [[0, 1]]


def test_cutoffs() -> None:
    scores = logits([0.6, 0.3, 0.06, 0.04], [0.25, 0.25, 0.25, 0.25])
    assert kept(filters.epsilon(scores, 0.05)) == [[0, 1, 2], [0, 1, 2, 3]]
    assert kept(filters.epsilon(scores, 0.26)) == [[0, 1], [0, 1, 2, 3]]  # the best, and its equals, stay
    # entropy of the second row is log 4: the border falls to sqrt(0.16) / 4
    assert kept(filters.eta(scores, 0.16)) == [[0, 1], [0, 1, 2, 3]]


@pytest.mark.parametrize("name", ["top_p", "min_p", "typical_p", "epsilon", "eta"])
def test_banned_candidates_change_nothing(name: str) -> None:
    """Candidates may be left away that are out already: sampling relies on it."""
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(5, 30, generator=generator) * 2
    scores[:, ::3] = float("-inf")
    few = scores[:, [column for column in range(30) if column % 3]]
    value = 0.05 if name in ("epsilon", "eta") else 0.6
    whole = getattr(filters, name)(scores, value)
    assert torch.equal(whole[:, [column for column in range(30) if column % 3]], getattr(filters, name)(few, value))


def test_temperature_comes_first() -> None:
    scores = logits([0.6, 0.3, 0.1])
    assert kept(warped(scores, GenerationOptions(do_sample=True, top_k=0, top_p=0.65))) == [[0, 1]]
    assert kept(warped(scores, GenerationOptions(do_sample=True, top_k=0, top_p=0.65, temperature=0.5))) == [[0]]
    assert kept(warped(scores, GenerationOptions(do_sample=True, top_k=2, top_p=0.65))) == [[0]]
