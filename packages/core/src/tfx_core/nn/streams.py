"""Two kinds of states that go through the same layers as one tensor, the second behind the first.

One reads a text; the other predicts it, and is read by nobody (Yang et al. 2019, §2.3, Qi et al. 2020, §2.2).
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tfx_core.nn.observer import Observer, Recorder


@dataclass
class StreamObserver(Observer):
    """Reports the weights of the stream that reads, and those of what predicts after them."""

    content: int = field(kw_only=True)
    """How many queries are those of the stream that reads."""

    def report(self, weights: Tensor) -> Tensor:
        """``(B, H, T + M, S)``, put together out of what was reported."""
        streams = weights[:, :, : self.content], weights[:, :, self.content :]
        return torch.cat([super(StreamObserver, self).report(each) for each in streams], dim=2)


@dataclass
class StreamRecorder(Recorder):
    """Reports both in turn where there are two; both go on from what was reported."""

    content: int | None = None
    """How many tokens are read; ``None`` where nothing predicts."""

    @property
    def streams(self) -> int:
        """How many states are reported for each layer."""
        return 1 if self.content is None else 2

    def add_state(self, x: Tensor) -> Tensor:
        """Report ``(B, T + M, D)``, if states are asked for."""
        if self.content is None or self.hidden_states is None:
            return super().add_state(x)
        streams = x[:, : self.content], x[:, self.content :]
        return torch.cat([super(StreamRecorder, self).add_state(each) for each in streams], dim=1)

    def observer(self, layer: int) -> Observer | None:
        """Of the attention of the layer that runs as number ``layer``."""
        plain = super().observer(layer)
        if plain is None or self.content is None:
            return plain
        return StreamObserver(plain.record, plain.head_mask, content=self.content)
