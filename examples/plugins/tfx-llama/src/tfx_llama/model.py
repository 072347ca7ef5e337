"""Llama's backbone, out of the core's parts."""

from torch import nn

from tfx_core.model import TransformerBackbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    Embeddings,
    FusedProjections,
    GatedFeedForward,
    Layer,
    PreNorm,
    RMSNorm,
    Rotary,
    Stack,
)
from tfx_llama.config import LlamaConfig


def build_backbone(config: LlamaConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone of a config; it has no optional parts."""
    return TransformerBackbone(
        embeddings=Embeddings(nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)),
        stack=Stack((_layer(config) for _ in range(config.num_hidden_layers)), norm=_norm(config)),
        causal=True,
        max_positions=config.max_position_embeddings,
    )


def _layer(config: LlamaConfig) -> Layer:
    return Layer(PreNorm(_attention(config), _norm(config), 0.0), PreNorm(_feed_forward(config), _norm(config), 0.0))


def _attention(config: LlamaConfig) -> Attention:
    heads, width = config.num_attention_heads, config.num_attention_heads * config.head_width
    shared = heads // config.key_heads
    return Attention(
        FusedProjections(config.hidden_size, width, queries_per_key=shared, bias=config.attention_bias),
        nn.Linear(width, config.hidden_size, bias=config.attention_bias),
        heads,
        encoding=Rotary(config.head_width, base=config.rotation["rope_theta"], frequencies=config.frequencies),
        dropout=config.attention_dropout,
    )


def _feed_forward(config: LlamaConfig) -> GatedFeedForward:
    width, inner, bias = config.hidden_size, config.intermediate_size, config.mlp_bias
    return GatedFeedForward(
        gate=nn.Linear(width, inner, bias=bias),
        up=nn.Linear(width, inner, bias=bias),
        activation=ActivationFunction(config.hidden_act),
        down=nn.Linear(inner, width, bias=bias),
    )


def _norm(config: LlamaConfig) -> RMSNorm:
    return RMSNorm(config.hidden_size, config.rms_norm_eps)
