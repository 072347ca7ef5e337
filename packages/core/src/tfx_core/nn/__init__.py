"""Building blocks: modules that receive built parts, hold parameters and nothing else."""

from tfx_core.nn.activations import ActivationFunction, activation
from tfx_core.nn.attention import (
    Attention,
    AttentionCall,
    CrossProjections,
    FusedProjections,
    Geometry,
    NoPosition,
    PositionSeam,
    Projections,
)
from tfx_core.nn.cache import NO_CACHE, CrossAttentionCache, DecoderCache, LayerCache, SelfAttentionCache
from tfx_core.nn.embeddings import (
    Embeddings,
    NoPositions,
    OffsetPositions,
    SegmentEmbeddings,
    UnreadPositions,
    looked_up,
)
from tfx_core.nn.initialise import initialise_normal
from tfx_core.nn.kernels import AttentionKernel, EagerAttention, eager, sdpa
from tfx_core.nn.layers import (
    FeedForward,
    Layer,
    LayerCall,
    NoCrossAttention,
    Pooler,
    PostNorm,
    PreNorm,
    Stack,
    StackCall,
    expand_head_mask,
)
from tfx_core.nn.layout import PADDED, Layout, Padded, Ragged, RowsPerSource, has_padding
from tfx_core.nn.masks import additive, causal_mask, first_tokens, last_tokens, mean_tokens, padding_mask, positions_of
from tfx_core.nn.memory import Memory, remember
from tfx_core.nn.span import Span

__all__ = [
    "NO_CACHE",
    "PADDED",
    "ActivationFunction",
    "Attention",
    "AttentionCall",
    "AttentionKernel",
    "CrossAttentionCache",
    "CrossProjections",
    "DecoderCache",
    "EagerAttention",
    "Embeddings",
    "FeedForward",
    "FusedProjections",
    "Geometry",
    "Layer",
    "LayerCache",
    "LayerCall",
    "Layout",
    "Memory",
    "NoCrossAttention",
    "NoPosition",
    "NoPositions",
    "OffsetPositions",
    "Padded",
    "Pooler",
    "PositionSeam",
    "PostNorm",
    "PreNorm",
    "Projections",
    "Ragged",
    "RowsPerSource",
    "SegmentEmbeddings",
    "SelfAttentionCache",
    "Span",
    "Stack",
    "StackCall",
    "UnreadPositions",
    "activation",
    "additive",
    "causal_mask",
    "eager",
    "expand_head_mask",
    "first_tokens",
    "has_padding",
    "initialise_normal",
    "last_tokens",
    "looked_up",
    "mean_tokens",
    "padding_mask",
    "positions_of",
    "remember",
    "sdpa",
]
