"""The network, built of parts of `tfx_core.nn`; only this file turns keys of the config into modules."""

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
from torch import nn

from tfx_example_architecture.config import ExampleConfig


def build_backbone(config: ExampleConfig, parts: frozenset[str]) -> TransformerBackbone:
    """Everything below the heads; ``parts`` are the optional ones that are asked for, of which this has none."""
    return TransformerBackbone(
        embeddings=Embeddings(nn.Embedding(config.vocab_size, config.hidden_size)),
        stack=Stack((_layer(config) for _ in range(config.num_hidden_layers)), norm=_norm(config)),
        causal=True,  # no token sees those after it
        max_positions=config.max_position_embeddings,  # longer texts are refused; None where nothing limits them
    )


def _layer(config: ExampleConfig) -> Layer:
    width, inner = config.hidden_size, config.intermediate_size
    feed_forward = GatedFeedForward(
        nn.Linear(width, inner, bias=False),
        nn.Linear(width, inner, bias=False),
        ActivationFunction(config.hidden_act),
        nn.Linear(inner, width, bias=False),
    )
    # PostNorm is the other place for a norm; a mechanism that is nowhere in tfx_core.nn is a module of your own
    return Layer(PreNorm(_attention(config), _norm(config), 0.0), PreNorm(feed_forward, _norm(config), 0.0))


def _attention(config: ExampleConfig) -> Attention:
    width, heads = config.hidden_size, config.num_attention_heads
    return Attention(
        FusedProjections(width, width, queries_per_key=heads // config.key_heads, bias=False),
        nn.Linear(width, width, bias=False),
        heads,
        encoding=Rotary(width // heads, base=config.rope_theta),
        dropout=config.attention_dropout,
    )


def _norm(config: ExampleConfig) -> RMSNorm:
    return RMSNorm(config.hidden_size, config.rms_norm_eps)
