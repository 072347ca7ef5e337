"""DistilBERT (Sanh et al. 2019): half of BERT's layers, without token types and pooler."""

import torch
from torch import nn

from tfx_core.model import CACHE_INPUTS, SOURCE_INPUTS, TransformerBackbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    PostNorm,
    SinusoidalPositions,
    Stack,
    initialise_normal,
)
from tfx_encoders.distilbert.config import DistilBertConfig

EPSILON = 1e-12
"""Added to the variance in every layer norm."""


def build_backbone(config: DistilBertConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone."""
    return TransformerBackbone(
        _embeddings(config),
        Stack(_layer(config, number) for number in range(config.n_layers)),
        max_positions=config.max_position_embeddings,
        unread=SOURCE_INPUTS | CACHE_INPUTS,
    )


def _embeddings(config: DistilBertConfig) -> Embeddings:
    table = SinusoidalPositions if config.sinusoidal_pos_embds else nn.Embedding
    return Embeddings(
        nn.Embedding(config.vocab_size, config.dim, padding_idx=config.pad_token_id),
        table(config.max_position_embeddings, config.dim),
        norm=nn.LayerNorm(config.dim, eps=EPSILON),
        dropout=config.dropout,
    )


def _layer(config: DistilBertConfig, number: int) -> Layer:
    width, inner = config.dim, config.hidden_dim
    feed_forward = FeedForward(nn.Linear(width, inner), ActivationFunction(config.activation), nn.Linear(inner, width))
    return Layer(  # what attention gives is not dropped out
        self_attention=PostNorm(_self_attention(config, number), nn.LayerNorm(width, eps=EPSILON), 0.0),
        feed_forward=PostNorm(feed_forward, nn.LayerNorm(width, eps=EPSILON), config.dropout),
    )


def _self_attention(config: DistilBertConfig, number: int) -> Attention:
    heads = config.n_heads - len(config.pruned_heads.get(number, ()))
    width = heads * (config.dim // config.n_heads)
    return Attention(
        FusedProjections(config.dim, width), nn.Linear(width, config.dim), heads, dropout=config.attention_dropout
    )


def initialise(path: str, module: nn.Module, config: DistilBertConfig, generator: torch.Generator | None) -> None:
    """Fill a module as the released code does: normal, not cut."""
    initialise_normal(module, config.initializer_range, generator)
