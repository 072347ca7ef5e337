"""T5's layers: a residual stream that stays float32 whatever the weights' type.

The residual sum of the larger models exceeds float16's range. The reference clamps it; here the sum, the norms and the
product inside the feed-forward layer are float32, so there is nothing to clamp.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn import AttentionCall, FeedForward, GatedFeedForward, PreNorm, at_least_float32


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


class WideFeedForward(FeedForward):
    """``down(dropout(activation(up(x))))``."""

    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        return without_overflow(self.down, self.dropout(self.activation(self.up(x))))


class WideGatedFeedForward(GatedFeedForward):
    """``down(dropout(activation(gate(x)) · up(x)))``."""

    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        gate, up = self.activation(self.gate(x)), self.up(x)
        if x.dtype == torch.float16:
            gate = gate.float()  # the product of two numbers in range may not be
        return without_overflow(self.down, self.dropout(gate * up))


def without_overflow(linear: nn.Module, x: Tensor) -> Tensor:
    """The layer's output, in float32 where the weights are float16: sums of this layer go beyond its 65504."""
    if isinstance(linear, nn.Linear) and linear.weight.dtype == torch.float16:  # what an adapter computes only it knows
        return F.linear(x.float(), linear.weight.float())
    y: Tensor = linear(x)
    return y
