"""Comparison of tensors, said in words."""

from collections.abc import Mapping

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
