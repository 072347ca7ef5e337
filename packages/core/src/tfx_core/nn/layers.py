"""Transformer layers and stacks out of built parts."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu
from torch.utils.checkpoint import checkpoint

from tfx_core.errors import InputError
from tfx_core.nn.attention import Attention, AttentionCall
from tfx_core.nn.cache import DecoderCache, KeyValueCache, LayerCache
from tfx_core.nn.observer import Observer, Recorder
from tfx_core.nn.pieces import in_pieces


class NoCrossAttention(nn.Module):
    """Stands where a layer has no cross-attention, and refuses to be given a source."""

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """Raise `InputError`."""
        raise InputError(
            "encoder_hidden_states: this model has no cross-attention; its config has to say is_decoder=true and "
            "add_cross_attention=true"
        )


class PostNorm(nn.Module):
    """``norm(x + dropout(sublayer(x)))``, the original transformer's order (Vaswani et al. 2017)."""

    def __init__(self, sublayer: nn.Module, norm: nn.Module, dropout: float) -> None:
        super().__init__()
        self.sublayer = sublayer
        self.norm = norm
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *call: AttentionCall) -> Tensor:
        """``(…, D) -> (…, D)``."""
        y: Tensor = self.norm(x + self.dropout(self.sublayer(x, *call)))
        return y


class PreNorm(nn.Module):
    """``x + dropout(sublayer(norm(x)))``."""

    def __init__(self, sublayer: nn.Module, norm: nn.Module, dropout: float) -> None:
        super().__init__()
        self.sublayer = sublayer
        self.norm = norm
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *call: AttentionCall) -> Tensor:
        """``(…, D) -> (…, D)``."""
        y: Tensor = x + self.dropout(self.sublayer(self.norm(x), *call))
        return y


class FeedForward(nn.Module):
    """``down(dropout(activation(up(x))))``."""

    def __init__(self, up: nn.Module, activation: nn.Module, down: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.up = up
        self.activation = activation
        self.down = down
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        return in_pieces(self, self.computed, x)

    def computed(self, x: Tensor) -> Tensor:
        """The same, of all tokens at once."""
        y: Tensor = self.down(self.dropout(self.activation(self.up(x))))
        return y


class GatedFeedForward(nn.Module):
    """``down(dropout(activation(gate(x)) · up(x)))`` (Shazeer 2020)."""

    def __init__(
        self, gate: nn.Linear, up: nn.Linear, activation: nn.Module, down: nn.Linear, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.gate = gate
        self.up = up
        self.activation = activation
        self.down = down
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        return in_pieces(self, self.computed, x)

    def computed(self, x: Tensor) -> Tensor:
        """The same, of all tokens at once."""
        y: Tensor = self.down(self.dropout(self.activation(self.gate(x)) * self.up(x)))
        return y


@dataclass(frozen=True)
class LayerCall:
    """What a layer is given besides its tokens."""

    self_attention: AttentionCall
    cross_attention: AttentionCall | None = None
    cache: LayerCache | None = None
    """What this layer remembers, made by its own `Layer.new_cache`."""


@dataclass(frozen=True)
class StackCall:
    """What a stack is given besides its tokens.

    The two attention calls hold what all layers share; `layer` adds a layer's own cache and observers, and a subclass
    may give each layer a mask, geometry, layout or source of its own. ``first`` is the number of the stack's first
    layer, where it is a part of a longer one; ``goes_on`` where what it reads was reported by the part before.
    """

    self_attention: AttentionCall
    cross_attention: AttentionCall | None = None
    cache: DecoderCache | None = None
    recorder: Recorder = field(default_factory=Recorder)
    first: int = 0
    goes_on: bool = False

    def add_state(self, x: Tensor) -> Tensor:
        """Report a hidden state, padded, and go on from what was reported, so that gradients pass through it."""
        if self.recorder.hidden_states is None:
            return x
        layout = self.self_attention.layout
        return layout.pack(self.recorder.add_state(layout.unpack(x)))

    def layer(self, step: int) -> LayerCall:
        """The call of the layer that runs as number ``step``."""
        number = self.first + step
        cross = self.cross_attention
        return LayerCall(
            _observed(self.self_attention, self.recorder.observer(number)),
            None if cross is None else _observed(cross, self.recorder.cross_observer(number)),
            None if self.cache is None else self.cache.layers[number],
        )


def _observed(call: AttentionCall, observer: Observer | None) -> AttentionCall:
    return call if observer is None else replace(call, observer=observer)


@runtime_checkable
class CachingLayer(Protocol):
    """A layer that can go on from what it remembers."""

    def new_cache(self) -> LayerCache:
        """What the layer remembers of a text that has not begun; a call's `LayerCall.cache` brings it back."""
        ...


class Layer(nn.Module):
    """Self-attention, cross-attention if there is any, feed-forward; each already wrapped in its residual and norm."""

    def __init__(
        self, self_attention: nn.Module, feed_forward: nn.Module, cross_attention: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.cross_attention = NoCrossAttention() if cross_attention is None else cross_attention
        self.feed_forward = feed_forward

    def new_cache(self) -> LayerCache:
        """What this layer remembers of a text that has not begun; a layer that keeps something else overrides it."""
        return KeyValueCache()

    def forward(self, x: Tensor, call: LayerCall) -> Tensor:
        """``(…, D) -> (…, D)``."""
        own, cross, cache = call.self_attention, call.cross_attention, call.cache
        if isinstance(cache, KeyValueCache):
            own = replace(own, cache=cache.self_attention)
            cross = None if cross is None else replace(cross, cache=cache.cross_attention)
        x = self.self_attention(x, own)
        if cross is not None:  # a decoder may run without a source
            x = self.cross_attention(x, cross)
        x = self.feed_forward(x)
        return x


@dataclass(frozen=True)
class Recomputing:
    """What layers computed is not kept for the backward pass, which computes it again (Chen et al. 2016)."""

    options: Mapping[str, Any]
    """Keywords of `torch.utils.checkpoint.checkpoint`."""
    every: int = 1
    """Of so many layers the first one; what others computed is kept."""
    offload: bool = False
    """Whether what is kept for it is kept on the CPU."""

    def run(self, layer: nn.Module, x: Tensor, call: LayerCall) -> Tensor:
        """``(…, D) -> (…, D)``."""
        with save_on_cpu(pin_memory=x.is_cuda) if self.offload else nullcontext():
            # not the reentrant kind: the call brings tensors (a source, biases) that gradients have to reach
            y: Tensor = checkpoint(layer, x, call, use_reentrant=False, **self.options)
        return y


class Stack(nn.Module):
    """Layers in ``order`` (by default each once), then a norm; ALBERT's shared layer is ``order=(0,) * 12``.

    Hidden states are reported before and after every ``blocks`` of them, which others count as one layer.
    While training, each layer is left out with the probability ``layer_drop`` (LayerDrop, Fan et al. 2020).
    """

    checkpointing: Recomputing | None = None
    """Which layers are computed again in the backward pass of a training; ``None`` keeps what they computed."""

    input_requires_grad: bool = False
    """Whether gradients reach what the first layer reads, though no parameter below it asks for them."""

    def __init__(
        self,
        layers: Iterable[nn.Module],
        *,
        order: Sequence[int] | None = None,
        norm: nn.Module | None = None,
        layer_drop: float = 0.0,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.layer_drop = layer_drop
        self.blocks = blocks
        self.layers = nn.ModuleList(layers)
        self.order = tuple(range(len(self.layers))) if order is None else tuple(order)
        self.norm = nn.Identity() if norm is None else norm

    def new_cache(self) -> DecoderCache:
        """What the layers remember of a text that has not begun, one entry for each time that a layer runs."""
        return DecoderCache(_new_cache(self.layers[index]) for index in self.order)

    def forward(self, x: Tensor, call: StackCall) -> Tensor:
        """``(…, D) -> (…, D)``; the call's recorder receives every layer's input and the last output."""
        if self.input_requires_grad and torch.is_grad_enabled():
            x = x if x.requires_grad else x.detach().requires_grad_()
        for step, index in enumerate(self.order):
            x = x if step % self.blocks or (call.goes_on and not step) else call.add_state(x)
            if self.training and self.layer_drop > 0 and torch.rand(()) < self.layer_drop:
                continue
            x = self._run(self.layers[index], x, call.layer(step), step)
        return call.add_state(self.norm(x))

    @property
    def recomputes(self) -> bool:
        """Whether a call now would be computed again in its backward pass."""
        return self.checkpointing is not None and self.training and torch.is_grad_enabled()

    def _run(self, layer: nn.Module, x: Tensor, call: LayerCall, step: int) -> Tensor:
        if self.checkpointing is None or not self.recomputes or step % self.checkpointing.every:
            y: Tensor = layer(x, call)
            return y
        if call.cache is not None:
            raise InputError(
                "past_key_values: with gradient checkpointing a training call is computed twice, and would remember "
                "its tokens twice; leave them out, or call model.eval() first"
            )
        return self.checkpointing.run(layer, x, call)

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove self-attention heads: layer -> numbers of the heads, counted in the layer as it is now."""
        for layer, removed in heads.items():
            attention = self.layers[layer].get_submodule("self_attention.sublayer")
            assert isinstance(attention, Attention)
            attention.keep_heads([head for head in range(attention.heads) if head not in set(removed)])


def _new_cache(layer: nn.Module) -> LayerCache:
    if not isinstance(layer, CachingLayer):
        raise TypeError(f"{type(layer).__name__} has no new_cache(), which makes what a layer remembers")
    return layer.new_cache()


class Pooler(nn.Module):
    """One token's state through a linear layer and an activation (BERT's pooler, with the first token)."""

    def __init__(self, project: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.project = project
        self.activation = activation

    def forward(self, state: Tensor) -> Tensor:
        """``(B, D) -> (B, D)``."""
        pooled: Tensor = self.activation(self.project(state))
        return pooled
