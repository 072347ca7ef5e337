"""Reversible layers: what a layer read is computed again out of what it wrote (Gomez et al. 2017; Kitaev et al. §3)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.nn import BucketNotes, FeedForward, HashedCall, Layer, LayerCall, Stack, StackCall, can_read
from tfx_decoders.reformer.cache import AlignedCache, placed
from tfx_decoders.reformer.reversible import Run, Step, reversible


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
        parts = torch.split(x, self.chunk, dim=-2)
        return torch.cat([super(ChunkedFeedForward, self).forward(part) for part in parts], dim=-2)


@dataclass(frozen=True)
class ReversibleCall(LayerCall):
    """The call of a layer that will be computed again."""

    steps: tuple[Step, Step] = field(kw_only=True)


class ReversibleLayer(Layer):
    """``y1 = x1 + attention(x2)``, ``y2 = x2 + feed_forward(y1)``; each a `Branch`."""

    def new_cache(self) -> AlignedCache:
        """What this layer remembers of a text that has not begun."""
        return AlignedCache()

    def forward(self, x: Tensor, call: LayerCall) -> Tensor:
        """Both streams ``(…, 2·D) -> (…, 2·D)``."""
        first, second = x.chunk(2, dim=-1)
        if isinstance(call, ReversibleCall):
            for step in call.steps:
                first, second = step.take(first, second)
            return torch.cat((first, second), dim=-1)
        first = first + self.self_attention(second, placed(call))
        second = second + self.feed_forward(first)
        return torch.cat((first, second), dim=-1)

    def run(self, call: LayerCall) -> Run:
        """What this call computes, in steps that can be undone; taken again, it finds the same buckets."""
        attention = call.self_attention
        if isinstance(attention, HashedCall):
            attention = replace(attention, notes=BucketNotes())
        steps = Step(self.self_attention, attention), Step(self.feed_forward)
        return Run(partial(self, call=ReversibleCall(attention, steps=steps)), steps)


class ReversibleStack(Stack):
    """Layers with two streams; while gradients are wanted, only what the last layer wrote is kept.

    The backward pass computes what each layer read from what it wrote, with the same dropout and the same buckets: its
    memory does not depend on the number of layers, but for the buckets' numbers. Where states, weights, masks of heads
    or a cache are asked for, a compiler records the call or `torch.func` transforms it, layers are computed as others
    are.
    """

    def __init__(self, layers: Iterable[ReversibleLayer], norm: nn.Module, dropout: float) -> None:
        super().__init__(layers, norm=norm)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, call: StackCall) -> Tensor:
        """``(…, D) -> (…, 2·D)``; the recorder receives the second stream before every layer, and after the last."""
        if self.input_requires_grad and torch.is_grad_enabled():
            x = x if x.requires_grad else x.detach().requires_grad_()
        x = torch.cat((x, x), dim=-1)
        x = self._reversibly(x, call) if self._may_forget(x, call) else self._plainly(x, call)
        y: Tensor = self.dropout(self.norm(x))
        return y

    def _may_forget(self, x: Tensor, call: StackCall) -> bool:
        recorder = call.recorder
        asked = recorder.hidden_states, recorder.attentions, recorder.head_mask, call.cache
        whole = can_read(x) and not torch._C._are_functorch_transforms_active()
        return torch.is_grad_enabled() and whole and all(each is None for each in asked)

    def _plainly(self, x: Tensor, call: StackCall) -> Tensor:
        for step, index in enumerate(self.order):
            x = self._run(self.layers[index], _reported(x, call), call.layer(step), step)
        return _reported(x, call)

    def _reversibly(self, x: Tensor, call: StackCall) -> Tensor:
        layers = (self.layers[index] for index in self.order)
        return reversible([_run(layer, call.layer(step)) for step, layer in enumerate(layers)], x)


def _run(layer: nn.Module, call: LayerCall) -> Run:
    assert isinstance(layer, ReversibleLayer)
    return layer.run(call)


def _reported(x: Tensor, call: StackCall) -> Tensor:
    """Both streams ``(…, 2·D)``, the second one as it was reported."""
    if call.recorder.hidden_states is None:
        return x
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first, call.add_state(second)), dim=-1)
