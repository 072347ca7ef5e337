"""Transformer layers and stacks out of built parts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn.attention import AttentionCall
from tfx_core.nn.cache import DecoderCache
from tfx_core.nn.kernels import EagerAttention


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

    def __init__(self, up: nn.Linear, activation: nn.Module, down: nn.Linear, dropout: float = 0.0) -> None:
        super().__init__()
        self.up = up
        self.activation = activation
        self.down = down
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D)``."""
        y: Tensor = self.down(self.dropout(self.activation(self.up(x))))
        return y


@dataclass(frozen=True)
class LayerCall:
    """What a layer is given besides its tokens."""

    self_attention: AttentionCall
    cross_attention: AttentionCall | None = None


@dataclass
class StackCall:
    """What a stack is given besides its tokens, and what it reports on the way.

    The two attention calls hold what all layers share; `layer` adds a layer's own cache and kernel. ``head_mask`` is
    ``(layers, …)``, each row broadcastable to ``(B, H, T, S)``. Where ``attentions`` is a list, or a head mask is
    given, the layers attend by `EagerAttention`.
    """

    self_attention: AttentionCall
    cross_attention: AttentionCall | None = None
    cache: DecoderCache | None = None
    head_mask: Sequence[Tensor] | None = None
    cross_head_mask: Sequence[Tensor] | None = None
    hidden_states: list[Tensor] | None = None
    attentions: list[Tensor] | None = None
    cross_attentions: list[Tensor] | None = None

    def record(self, x: Tensor) -> None:
        """Report a hidden state, padded, if they are asked for."""
        if self.hidden_states is not None:
            self.hidden_states.append(self.self_attention.layout.unpack(x))

    def recorded(self) -> dict[str, tuple[Tensor, ...]]:
        """What was reported, by the names that outputs give it."""
        reports = {
            "hidden_states": self.hidden_states,
            "attentions": self.attentions,
            "cross_attentions": self.cross_attentions,
        }
        return {name: tuple(report) for name, report in reports.items() if report is not None}

    def layer(self, step: int) -> LayerCall:
        """The call of the layer that runs as number ``step``."""
        call = _observed(self.self_attention, self.attentions, self.head_mask, step)
        cross = self.cross_attention
        if cross is not None:
            cross = _observed(cross, self.cross_attentions, self.cross_head_mask, step)
        if self.cache is not None:
            call = replace(call, cache=self.cache.self_attention[step])
            cross = cross if cross is None else replace(cross, cache=self.cache.cross_attention[step])
        return LayerCall(call, cross)


def _observed(
    call: AttentionCall, record: list[Tensor] | None, head_mask: Sequence[Tensor] | None, step: int
) -> AttentionCall:
    """The call with a kernel that reports or masks heads, if that is asked for."""
    if record is None and head_mask is None:
        return call
    return replace(call, kernel=EagerAttention(record, None if head_mask is None else head_mask[step]))


class Layer(nn.Module):
    """Self-attention, cross-attention if there is any, feed-forward; each already wrapped in its residual and norm."""

    def __init__(
        self, self_attention: nn.Module, feed_forward: nn.Module, cross_attention: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.self_attention = self_attention
        self.cross_attention = NoCrossAttention() if cross_attention is None else cross_attention
        self.feed_forward = feed_forward

    def forward(self, x: Tensor, call: LayerCall) -> Tensor:
        """``(…, D) -> (…, D)``."""
        x = self.self_attention(x, call.self_attention)
        if call.cross_attention is not None:  # a decoder may run without a source
            x = self.cross_attention(x, call.cross_attention)
        x = self.feed_forward(x)
        return x


class Stack(nn.Module):
    """Layers in ``order`` (by default each once), then a norm; ALBERT's shared layer is ``order=(0,) * 12``.

    While training, each layer is left out with the probability ``layer_drop`` (LayerDrop, Fan et al. 2020).
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        *,
        order: Sequence[int] | None = None,
        norm: nn.Module | None = None,
        layer_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.layer_drop = layer_drop
        self.layers = nn.ModuleList(layers)
        self.order = tuple(range(len(self.layers))) if order is None else tuple(order)
        self.norm = nn.Identity() if norm is None else norm

    def forward(self, x: Tensor, call: StackCall) -> Tensor:
        """``(…, D) -> (…, D)``; the call's recorders receive every layer's input and the last output."""
        for step, index in enumerate(self.order):
            call.record(x)
            if self.training and self.layer_drop > 0 and torch.rand(()) < self.layer_drop:
                continue
            x = self.layers[index](x, call.layer(step))
        x = self.norm(x)
        call.record(x)
        return x

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Remove self-attention heads: layer -> numbers of the heads, counted in the layer as it is now."""
        for layer, removed in heads.items():
            attention: Any = self.layers[layer].get_submodule("self_attention.sublayer")
            attention.keep_heads([head for head in range(attention.heads) if head not in set(removed)])


def expand_head_mask(head_mask: Tensor, layers: int) -> list[Tensor]:
    """``(H,)`` or ``(layers, H)`` of factors -> for each layer ``(1, H, 1, 1)``."""
    if head_mask.dim() == 1:
        head_mask = head_mask.expand(layers, -1)
    return [row[None, :, None, None] for row in head_mask]


class Pooler(nn.Module):
    """One token's state through a linear layer and an activation (BERT's pooler, with the first token)."""

    def __init__(self, dense: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.dense = dense
        self.activation = activation

    def forward(self, state: Tensor) -> Tensor:
        """``(B, D) -> (B, D)``."""
        pooled: Tensor = self.activation(self.dense(state))
        return pooled
