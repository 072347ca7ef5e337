"""Comparison of tensors and of results, said in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def close(found: Tensor, expected: Tensor, what: str, *, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Fail unless two tensors are the same but for rounding; ``what`` says of what they are."""
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, msg=lambda said: f"{what}: {said}")


def all_close(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str, *, rtol: float = 1e-4, atol: float = 1e-5
) -> None:
    """Fail unless tensors by name are the same but for rounding."""
    assert found.keys() == expected.keys(), f"{what}: {sorted(found.keys() ^ expected.keys())} in one of the two only"
    for name, value in expected.items():
        close(found[name], value, f"{what}: {name}", rtol=rtol, atol=atol)


def equal(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    """Fail unless tensors by name are the same to the last bit; all names that differ are told."""
    assert found.keys() == expected.keys(), f"{what}: {sorted(found.keys() ^ expected.keys())} in one of the two only"
    differ = [name for name, value in expected.items() if not torch.equal(found[name], value)]
    assert not differ, f"{what}: not the same are {differ}"


def same(found: Any, expected: Any, what: str = "the result") -> None:
    """Fail unless two results of a task are equal but for the rounding of sums of another order."""
    if isinstance(expected, Mapping):
        assert list(found) == list(expected), f"{what} has other keys"
        for key in expected:
            same(found[key], expected[key], f"{what}[{key!r}]")
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{what} has another length"
        for place, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
            same(mine, theirs, f"{what}[{place}]")
    elif isinstance(expected, float | np.ndarray):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6, err_msg=what)
    else:
        assert found == expected, what
