"""When results of a task are the same."""

from typing import Any

import numpy as np


def same(one: Any, other: Any) -> None:
    """Equal but for the rounding of sums of another order."""
    if isinstance(other, dict):
        assert list(one) == list(other)
        for key in other:
            same(one[key], other[key])
    elif isinstance(other, list):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            same(mine, theirs)
    elif isinstance(other, float | np.ndarray):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    else:
        assert one == other
