"""Reversible layers: what a layer read is computed again out of what it wrote (Gomez et al. 2017; Kitaev et al. §3)."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.nn import BucketNotes, FeedForward, HashedCall, Layer, LayerCall, Stack, StackCall, can_read
from tfx_decoders.reformer.cache import AlignedCache, placed
from tfx_decoders.reformer.reversible import Step, reversible


class Branch(nn.Module):
    """``dropout(sublayer(norm(x)))``: what is added to one stream, read from the other."""

    def __init__(self, sublayer: nn.Module, norm: nn.Module, dropout: float) -> None:
        super().__init__()
        self.sublayer = sublayer
        self.norm = norm
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *call: Any) -> Tensor:
        """``(…, D) -> (…, D)``."""
        y: Tensor = self.dropout(self.sublayer(self.norm(x), *call))
        return y


class ChunkedFeedForward(FeedForward):
    """A feed-forward layer that computes so many tokens at a time, all if 0; only these are ``up`` wide at once."""

    def __init__(self, up: nn.Module, activation: nn.Module, down: nn.Module, chunk: int = 0) -> None:
        super().__init__(up, activation, down)
        self.chunk = chunk

    def forward(self, x: Tensor) -> Tensor:
        """``(…, S, D) -> (…, S, D)``, or ``(tokens, D)``."""
        if self.chunk == 0:
            return super().forward(x)
        return torch.cat(
            [super(ChunkedFeedForward, self).forward(part) for part in torch.split(x, self.chunk, dim=-2)], -2
        )


class ReversibleLayer(Layer):
    """``y1 = x1 + attention(x2)``, ``y2 = x2 + feed_forward(y1)``; each a `Branch`."""

    def new_cache(self) -> AlignedCache:
        """What this layer remembers of a text that has not begun."""
        return AlignedCache()

    def forward(self, x: Tensor, call: LayerCall) -> Tensor:
        """Both streams ``(…, 2·D) -> (…, 2·D)``."""
        first, second = x.chunk(2, dim=-1)
        first = first + self.self_attention(second, placed(call))
        second = second + self.feed_forward(first)
        return torch.cat((first, second), dim=-1)


class ReversibleStack(Stack):
    """Layers with two streams; while gradients are wanted, only what the last layer wrote is kept.

    The backward pass computes what each layer read from what it wrote, with the same dropout and the same buckets: its
    memory does not depend on the number of layers, but for the buckets' numbers. Where states, weights, masks of heads
    or a cache are asked for, layers are computed as others are.
    """

    def __init__(self, layers: Iterable[ReversibleLayer], norm: nn.Module, dropout: float) -> None:
        super().__init__(layers, norm=norm)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, call: StackCall) -> Tensor:
        """``(…, D) -> (…, 2·D)``; the recorder receives the second stream before every layer, and after the last."""
        if self.input_requires_grad and torch.is_grad_enabled():
            x = x if x.requires_grad else x.detach().requires_grad_()
        streams = self._reversibly(x, call) if self._may_forget(x, call) else self._plainly(x, call)
        y: Tensor = self.dropout(self.norm(streams))
        return y

    def _may_forget(self, x: Tensor, call: StackCall) -> bool:
        recorder = call.recorder
        asked = recorder.hidden_states, recorder.attentions, recorder.head_mask, call.cache
        return torch.is_grad_enabled() and can_read(x) and all(each is None for each in asked)

    def _plainly(self, x: Tensor, call: StackCall) -> Tensor:
        first = second = x
        for step, index in enumerate(self.order):
            second = call.add_state(second)
            streams = self._run(self.layers[index], torch.cat((first, second), dim=-1), call.layer(step), step)
            first, second = streams.chunk(2, dim=-1)
        return torch.cat((first, call.add_state(second)), dim=-1)

    def _reversibly(self, x: Tensor, call: StackCall) -> Tensor:
        steps = [each for step, index in enumerate(self.order) for each in _steps(self.layers[index], call.layer(step))]
        return torch.cat(reversible(steps, x, x), dim=-1)


def _steps(layer: nn.Module, call: LayerCall) -> tuple[Step, Step]:
    """The two halves of a layer; taken again, the first one finds the same buckets."""
    assert isinstance(layer, ReversibleLayer)
    attention = call.self_attention
    if isinstance(attention, HashedCall):
        attention = replace(attention, notes=BucketNotes())
    return Step(layer.self_attention, attention), Step(layer.feed_forward)
