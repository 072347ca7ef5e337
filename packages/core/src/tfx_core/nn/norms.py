"""Norms that torch has not, or not in this form."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """``x / rms(x) · weight`` (Zhang and Sennrich 2019), computed in float32, given out in the weights' type."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        normed: Tensor = F.rms_norm(at_least_float32(x), self.weight.shape, None, self.eps)
        return normed.to(self.weight.dtype) * self.weight


def at_least_float32(x: Tensor) -> Tensor:
    """``x``, in float32 if it was narrower."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
