"""The highest scores are those that sorting everything finds."""

import pytest
import torch

from tfx_core.generation.filters import most_probable, top_k
from tfx_core.generation.highest import highest


@pytest.mark.parametrize("size", [5, 255, 256, 1000, 4096, 5003])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_the_same_scores_as_by_sorting(size: int, count: int) -> None:
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        scores = torch.randn(3, size, generator=generator).round(decimals=1 if seed % 2 else 6)
        scores[1, ::2] = float("-inf")
        found = highest(scores, count)
        assert torch.equal(found.values, scores.sort(1, descending=True).values[:, :count])
        assert torch.equal(scores.gather(1, found.indices), found.values)
        assert all(len(set(row)) == count for row in found.indices.tolist())


@pytest.mark.parametrize("place", [0, 1000, 4999])
def test_nan_is_not_overlooked(place: int) -> None:
    scores = torch.randn(2, 5000)
    scores[1, place] = float("nan")
    values = highest(scores, 4).values
    assert values[1, 0].isnan()
    assert values[0].isfinite().all()


@pytest.mark.parametrize("size", [12, 3000])
def test_most_probable_is_top_k_without_the_rest(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for decimals in (0, 1, 6):
        scores = torch.randn(4, size, generator=generator).round(decimals=decimals)
        scores[2] = float("-inf")
        scores[2, 5] = 1.0
        for count in (1, 4, 12, 99):
            few, index = most_probable(scores, count)
            whole = torch.full_like(scores, float("-inf")).scatter(1, index, few)
            assert torch.equal(whole, top_k(scores, count))
            assert (index.diff(dim=1) > 0).all()  # in the vocabulary's order
