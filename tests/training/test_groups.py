"""How often the members of groups are read."""

import numpy as np
import pytest

from tfx_training.objective import generator_of
from tfx_training.objectives.groups import sampled, smoothed


def test_shares_are_smoothed_as_published() -> None:
    assert smoothed([900, 100], 1.0) == pytest.approx([0.9, 0.1])
    assert smoothed([900, 100], 0.5) == pytest.approx([0.75, 0.25])
    assert smoothed([900, 100], 0.0) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("alpha", [1.0, 0.7, 0.3, 0.0])
def test_groups_are_read_in_their_shares(alpha: float) -> None:
    counts = [70_000, 20_000, 9_000, 1_000]
    drawn = sampled(counts, alpha, generator_of(0))
    powers = np.asarray(counts, dtype=float) ** alpha
    for members, count, share in zip(drawn, counts, powers / powers.sum(), strict=True):
        assert len(members) == pytest.approx(share * 100_000, abs=1)
        times = np.bincount(members, minlength=count)
        assert len(times) == count
        assert times.max() - times.min() <= 1


def test_all_are_read_where_nothing_is_smoothed() -> None:
    drawn = sampled([5, 3], 1.0, generator_of(0))
    assert [sorted(each.tolist()) for each in drawn] == [[0, 1, 2, 3, 4], [0, 1, 2]]


def test_which_are_read_is_drawn() -> None:
    assert len({tuple(sorted(sampled([100, 2], 0.0, generator_of(0, epoch))[0])) for epoch in range(5)}) == 5
    assert all(len(each) for each in sampled([100_000, 1], 1.0, generator_of(0)))
