"""T5's layers: norms without mean or bias, and a residual stream that stays float32 whatever the weights' type.

The residual sum of the larger models exceeds float16's range. The reference clamps it; here the sum, the norms and the
product inside the feed-forward layer are float32, so there is nothing to clamp.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn import AttentionCall, FeedForward, PreNorm


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


class WideResidual(PreNorm):
    """A residual whose sum is at least float32."""

    def forward(self, x: Tensor, *call: AttentionCall) -> Tensor:
        """``(…, D) -> (…, D)``."""
        return super().forward(at_least_float32(x), *call)


class Widen(nn.Module):
    """Embeddings as the residual stream wants them."""

    def forward(self, x: Tensor) -> Tensor:
        """At least float32."""
        return at_least_float32(x)


class DenseFeedForward(FeedForward):
    """``down(dropout(activation(up(x))))``."""

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        return without_overflow(self.down, self.dropout(self.activation(self.up(x))))


class GatedFeedForward(nn.Module):
    """``down(dropout(activation(gate(x)) · up(x)))`` (Shazeer 2020)."""

    def __init__(self, gate: nn.Linear, up: nn.Linear, activation: nn.Module, down: nn.Linear, dropout: float) -> None:
        super().__init__()
        self.gate = gate
        self.up = up
        self.activation = activation
        self.down = down
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        gate, up = self.activation(self.gate(x)), self.up(x)
        if x.dtype == torch.float16:
            gate = gate.float()  # the product of two numbers in range may not be
        return without_overflow(self.down, self.dropout(gate * up))


def without_overflow(linear: nn.Linear, x: Tensor) -> Tensor:
    """The layer's output, in float32 where the weights are float16: sums of this layer go beyond its 65504."""
    if linear.weight.dtype == torch.float16:
        return F.linear(x.float(), linear.weight.float())
    y: Tensor = linear(x)
    return y


def at_least_float32(x: Tensor) -> Tensor:
    """``x``, in float32 if it was narrower."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
