"""GPT (Radford et al. 2018, *Improving Language Understanding by Generative Pre-Training*): a post-norm decoder."""

from torch import nn

from tfx_core.model import TransformerBackbone
from tfx_core.nn import Layer, PostNorm, Stack
from tfx_decoders.gpt import build_embeddings, build_feed_forward, build_norm, build_self_attention
from tfx_decoders.openai_gpt.config import OpenAIGPTConfig


def build_backbone(config: OpenAIGPTConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone; every head reads the same states."""
    return TransformerBackbone(
        embeddings=build_embeddings(config),
        stack=Stack(_layer(config, number) for number in range(config.n_layer)),
        causal=True,
        max_positions=config.n_positions,
    )


def _layer(config: OpenAIGPTConfig, number: int) -> Layer:
    return Layer(
        self_attention=_post_norm(config, build_self_attention(config, number)),
        feed_forward=_post_norm(config, build_feed_forward(config, 4 * config.n_embd, config.activation)),
    )


def _post_norm(config: OpenAIGPTConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, build_norm(config), config.resid_pdrop)
