"""How often the rows of each language are read."""

import numpy as np
import pytest

from tfx_training.languages import drawn_by_share
from tfx_training.objective import generator_of


@pytest.mark.parametrize("alpha", [1.0, 0.7, 0.3, 0.0])
def test_groups_are_read_in_their_shares(alpha: float) -> None:
    counts = [70_000, 20_000, 9_000, 1_000]
    drawn = drawn_by_share(counts, alpha, generator_of(0))
    powers = np.asarray(counts, dtype=float) ** alpha
    for members, count, share in zip(drawn, counts, powers / powers.sum(), strict=True):
        assert len(members) == pytest.approx(share * 100_000, abs=1)
        times = np.bincount(members, minlength=count)
        assert len(times) == count
        assert times.max() - times.min() <= 1


def test_all_are_read_where_nothing_is_smoothed() -> None:
    drawn = drawn_by_share([5, 3], 1.0, generator_of(0))
    assert [sorted(each.tolist()) for each in drawn] == [[0, 1, 2, 3, 4], [0, 1, 2]]


def test_which_are_read_is_drawn() -> None:
    assert len({tuple(sorted(drawn_by_share([100, 2], 0.0, generator_of(0, epoch))[0])) for epoch in range(5)}) == 5
    assert all(len(each) for each in drawn_by_share([100_000, 1], 1.0, generator_of(0)))


def test_a_small_language_is_read_evenly_and_a_large_one_never_twice() -> None:
    large, small, none = drawn_by_share([1000, 10, 0], 0.3, generator_of(0))
    assert len({*large.tolist()}) == len(large)
    times = np.bincount(small, minlength=10)
    assert times.max() - times.min() <= 1 < times.min()
    assert not len(none)
