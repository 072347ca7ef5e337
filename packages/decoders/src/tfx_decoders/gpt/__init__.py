"""What GPT and GPT-2 have in common: config, parts of the layers, heads that write (Radford et al. 2018, 2019)."""

from tfx_decoders.gpt.config import GPTConfig
from tfx_decoders.gpt.heads import DoubleHeads, causal_lm, double_heads
from tfx_decoders.gpt.model import GPTEmbeddings, build_embeddings, build_feed_forward, build_norm, build_self_attention
from tfx_decoders.gpt.weights import conv1d

__all__ = [
    "DoubleHeads",
    "GPTConfig",
    "GPTEmbeddings",
    "build_embeddings",
    "build_feed_forward",
    "build_norm",
    "build_self_attention",
    "causal_lm",
    "conv1d",
    "double_heads",
]
