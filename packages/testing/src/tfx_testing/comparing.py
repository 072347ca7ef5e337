"""Comparison of tensors, said in words."""

import torch
from torch import Tensor


def close(found: Tensor, expected: Tensor, what: str, *, rtol: float = 1e-4, atol: float = 1e-5) -> None:
    """Fail unless two tensors are the same but for rounding; ``what`` says of what they are."""
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol, msg=lambda said: f"{what}: {said}")
