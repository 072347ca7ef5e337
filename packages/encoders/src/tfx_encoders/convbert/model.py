"""ConvBERT (Jiang et al. 2020): BERT with convolutions, whose kernels the text makes, for half of the heads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from tfx_core.model import CACHE_INPUTS, SOURCE_INPUTS, Backbone, ModelOutput, TransformerBackbone
from tfx_core.nn import (
    Attention,
    AttentionCall,
    Embeddings,
    FusedProjections,
    Layer,
    Span,
    Stack,
    StackCall,
    fill_normal,
)
from tfx_encoders import post_norm
from tfx_encoders.convbert.config import ConvBertConfig
from tfx_encoders.convbert.convolution import Line, SeparableConvolution, SpanConvolution


@dataclass(frozen=True)
class MixedCall(AttentionCall):
    """What one layer of mixed attention is given besides its tokens."""

    line: Line | None = None
    """Where the tokens lie for convolutions."""


class MixedAttention(Attention):
    """Heads of attention and as many of span-based convolution, side by side (Jiang et al. 2020, §3.3)."""

    def __init__(
        self,
        projections: FusedProjections,
        convolution: SpanConvolution,
        out: nn.Linear,
        heads: int,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(projections, out, heads, scale=(out.in_features // (2 * heads)) ** -0.5, dropout=dropout)
        self.convolution = convolution

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """Packed tokens ``(…, D) -> (…, D)``."""
        assert isinstance(call, MixedCall)
        assert call.line is not None
        query, key, value = self.projections(x, None)  # (…, H·d) each
        convolved = self.convolution(x, query, call.line)  # (…, H·d)
        split = partial(call.layout.split, heads=self.heads)  # (…, H·d) -> (B, H, T, d)
        context = self.attend(split(query), split(key), split(value), call)
        mixed: Tensor = self.out(torch.cat((call.layout.merge(context), convolved), dim=-1))
        return mixed


class GroupedLinear(nn.Module):
    """A layer whose outputs are computed in groups, each from a group of the inputs alone (Jiang et al. 2020, §3.4)."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(groups, inputs // groups, outputs // groups))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        number = len(self.weight)
        groups = x.reshape(-1, number, x.shape[-1] // number).transpose(0, 1)  # (G, tokens, D / G)
        y = torch.baddbmm(self.bias.view(number, 1, -1), groups, self.weight)
        return y.transpose(0, 1).reshape(*x.shape[:-1], len(self.bias))


class ConvBertBackbone(TransformerBackbone):
    """An encoder whose layers see texts as a `Line`, too; ``reach`` is that of their convolutions."""

    def __init__(self, embeddings: Embeddings, stack: Stack, *, reach: int, max_positions: int, width: int) -> None:
        super().__init__(
            embeddings, stack, max_positions=max_positions, width=width, unread=SOURCE_INPUTS | CACHE_INPUTS
        )
        self.reach = reach

    def run(self, x: Tensor, span: Span, call: StackCall) -> ModelOutput:
        """As for other encoders, with the line of the call."""
        mixed = MixedCall(**vars(call.self_attention), line=Line.of(span, self.reach))
        return super().run(x, span, replace(call, self_attention=mixed))

    def prune_heads(self, heads: Mapping[int, Sequence[int]]) -> None:
        """Not offered."""
        Backbone.prune_heads(self, heads)


def build_backbone(config: ConvBertConfig, parts: frozenset[str]) -> ConvBertBackbone:
    """The backbone; it has no pooler."""
    width, embedding = config.hidden_size, config.embedding_size
    project = nn.Linear(embedding, width) if embedding != width else None
    return ConvBertBackbone(
        post_norm.build_embeddings(config, embedding, project=project),
        Stack(_layer(config, number) for number in range(config.num_hidden_layers)),
        reach=config.conv_kernel_size // 2,
        max_positions=config.max_position_embeddings,
        width=width,
    )


def _layer(config: ConvBertConfig, number: int) -> Layer:
    def linear(inputs: int, outputs: int) -> nn.Module:
        groups = config.num_groups
        return nn.Linear(inputs, outputs) if groups == 1 else GroupedLinear(inputs, outputs, groups)

    return post_norm.build_layer(config, number, _attention(config), linear)


def _attention(config: ConvBertConfig) -> MixedAttention:
    width, heads = config.hidden_size, config.reduced_heads
    return MixedAttention(
        FusedProjections(width, width // 2),
        _convolution(config),
        nn.Linear(width, width),
        heads,
        dropout=config.attention_probs_dropout_prob,
    )


def _convolution(config: ConvBertConfig) -> SpanConvolution:
    width, heads, size = config.hidden_size, config.reduced_heads, config.conv_kernel_size
    channel = nn.Conv1d(width, width, size, groups=width, bias=False)
    return SpanConvolution(
        SeparableConvolution(channel, nn.Linear(width, width // 2, bias=False)),
        kernel=nn.Linear(width // 2, heads * size),
        value=nn.Linear(width, width // 2),
        heads=heads,
    )


def initialise(path: str, module: nn.Module, config: ConvBertConfig, generator: torch.Generator | None) -> None:
    """Fill a module as the released code does: as BERT's, the kernels of channels with a deviation of ``1/k``."""
    if isinstance(module, nn.Conv1d):
        fill_normal(module.weight, 1 / config.conv_kernel_size, generator, truncated=True)
    elif isinstance(module, GroupedLinear):
        fill_normal(module.weight, config.initializer_range, generator, truncated=True)
        nn.init.zeros_(module.bias)
    else:
        post_norm.initialise(path, module, config, generator)
