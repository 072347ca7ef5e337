"""The parts of GPT's and GPT-2's layers, built from a config; only the order of norms differs between the two."""

from torch import Tensor, nn

from tfx_core.nn import (
    Activation,
    ActivationFunction,
    Attention,
    Embeddings,
    FeedForward,
    FusedProjections,
    look_up,
)
from tfx_decoders.gpt.config import GPTConfig


class GPTEmbeddings(Embeddings):
    """Token types, where given, are looked up in the token table: they are tokens themselves."""

    def add_segments(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Add the segments' token vectors."""
        return x if segments is None else x + look_up(self.token, segments, "token_type_ids")


def build_embeddings(config: GPTConfig) -> GPTEmbeddings:
    """Tokens and learned positions."""
    return GPTEmbeddings(
        nn.Embedding(config.vocab_size, config.n_embd),
        nn.Embedding(config.n_positions, config.n_embd),
        dropout=config.embd_pdrop,
    )


def build_self_attention(
    config: GPTConfig, number: int, attention: type[Attention] = Attention, scale: float | None = None
) -> Attention:
    """The self-attention of the layer of this number, without its pruned heads; ``scale`` as for `Attention`."""
    heads = config.n_head - len(config.pruned_heads.get(number, ()))
    width = heads * (config.n_embd // config.n_head)
    return attention(
        FusedProjections(config.n_embd, width),
        nn.Linear(width, config.n_embd),
        heads,
        scale=scale,
        dropout=config.attn_pdrop,
    )


def build_feed_forward(config: GPTConfig, width: int, activation: Activation) -> FeedForward:
    """Two layers, ``width`` wide between them."""
    return FeedForward(nn.Linear(config.n_embd, width), ActivationFunction(activation), nn.Linear(width, config.n_embd))


def build_norm(config: GPTConfig) -> nn.LayerNorm:
    """A layer norm of the states."""
    return nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
