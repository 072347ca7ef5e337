"""CTRL (Keskar et al. 2019): a pre-norm decoder whose positions are sinusoids, of texts of any length."""

from torch import Tensor, nn

from tfx_core.model import SOURCE_INPUTS, TransformerBackbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    Embeddings,
    EndlessPositions,
    FeedForward,
    FusedProjections,
    Layer,
    PreNorm,
    Stack,
    look_up,
)
from tfx_decoders.ctrl.config import CTRLConfig

_EPSILON = 1e-6
"""Of the norms in the layers, whatever the config says."""


class CTRLEmbeddings(Embeddings):
    """Token vectors, and those of token types, which are tokens themselves, times ``√D``; so are given vectors."""

    def add_segments(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Add the segments' token vectors, and scale."""
        x = x if segments is None else x + look_up(self.token, segments, "token_type_ids")
        scaled: Tensor = x * self.token.embedding_dim**0.5
        return scaled


def build_backbone(config: CTRLConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone; every head reads the same states."""
    return TransformerBackbone(
        embeddings=CTRLEmbeddings(
            nn.Embedding(config.vocab_size, config.n_embd),
            EndlessPositions(config.n_embd, halves=True),
            dropout=config.embd_pdrop,
        ),
        stack=Stack(
            (_layer(config, number) for number in range(config.n_layer)),
            norm=nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon),
        ),
        causal=True,
        unread=SOURCE_INPUTS,
    )


def _layer(config: CTRLConfig, number: int) -> Layer:
    heads = config.n_head - len(config.pruned_heads.get(number, ()))
    width = heads * (config.n_embd // config.n_head)
    sublayers = (
        Attention(FusedProjections(config.n_embd, width), nn.Linear(width, config.n_embd), heads),
        FeedForward(
            nn.Linear(config.n_embd, config.dff), ActivationFunction("relu"), nn.Linear(config.dff, config.n_embd)
        ),
    )
    return Layer(*(PreNorm(each, nn.LayerNorm(config.n_embd, eps=_EPSILON), config.resid_pdrop) for each in sublayers))
