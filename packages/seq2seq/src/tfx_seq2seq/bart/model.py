"""BART (Lewis et al. 2020): a post-norm encoder-decoder with learned positions and normalised embeddings."""

from functools import partial

import torch
from tfx_core.backbone import TransformerBackbone
from tfx_core.errors import ConfigError
from tfx_core.nn import (
    Attention,
    CrossProjections,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    OffsetPositions,
    PostNorm,
    Stack,
    activation,
)
from torch import Tensor, nn

from tfx_seq2seq.backbone import DecoderBackbone, Seq2SeqBackbone, shift_right
from tfx_seq2seq.bart.config import BartConfig

POSITION_OFFSET = 2  # the released model's table begins with two rows of padding


def build_backbone(config: BartConfig, head: str) -> Seq2SeqBackbone | DecoderBackbone:
    """Encoder and decoder with one token table; for ``causal-lm`` the decoder alone."""
    token = nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_token_id)
    if head == "causal-lm":
        return DecoderBackbone(_decoder(config, token))
    return Seq2SeqBackbone(_encoder(config, token), _decoder(config, token), start=partial(_start, config))


def _start(config: BartConfig, input_ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The decoder's input where only a source is given: the source, shifted right, and the source's mask."""
    for key in ("decoder_start_token_id", "pad_token_id"):
        if getattr(config, key) is None:
            raise ConfigError(f"{key}=None: the source is shifted right with it; set it, or give decoder_input_ids")
    assert config.decoder_start_token_id is not None
    assert config.pad_token_id is not None
    shifted = shift_right(input_ids, config.decoder_start_token_id, config.pad_token_id)
    if mask is not None:  # the text may begin behind padding
        shifted[torch.arange(len(mask), device=mask.device), mask.long().argmax(dim=-1)] = config.decoder_start_token_id
    return shifted, mask


def _encoder(config: BartConfig, token: nn.Embedding) -> TransformerBackbone:
    return TransformerBackbone(
        embeddings=_embeddings(config, token),
        stack=Stack(
            (_encoder_layer(config) for _ in range(config.encoder_layers)), layer_drop=config.encoder_layerdrop
        ),
        max_positions=config.max_position_embeddings,
    )


def _decoder(config: BartConfig, token: nn.Embedding) -> TransformerBackbone:
    return TransformerBackbone(
        embeddings=_embeddings(config, token),
        stack=Stack(
            (_decoder_layer(config) for _ in range(config.decoder_layers)), layer_drop=config.decoder_layerdrop
        ),
        causal=True,
        max_positions=config.max_position_embeddings,
    )


def _embeddings(config: BartConfig, token: nn.Embedding) -> Embeddings:
    return Embeddings(
        token,
        OffsetPositions(config.max_position_embeddings, config.d_model, POSITION_OFFSET),
        scale=config.embedding_scale,
        norm=nn.LayerNorm(config.d_model),
        dropout=config.dropout,
    )


def _encoder_layer(config: BartConfig) -> Layer:
    return Layer(
        self_attention=_post_norm(config, _self_attention(config, config.encoder_attention_heads)),
        feed_forward=_post_norm(config, _feed_forward(config, config.encoder_ffn_dim)),
    )


def _decoder_layer(config: BartConfig) -> Layer:
    return Layer(
        self_attention=_post_norm(config, _self_attention(config, config.decoder_attention_heads)),
        cross_attention=_post_norm(config, _cross_attention(config, config.decoder_attention_heads)),
        feed_forward=_post_norm(config, _feed_forward(config, config.decoder_ffn_dim)),
    )


def _self_attention(config: BartConfig, heads: int) -> Attention:
    width = config.d_model
    return Attention(FusedProjections(width, width), nn.Linear(width, width), heads, dropout=config.attention_dropout)


def _cross_attention(config: BartConfig, heads: int) -> Attention:
    width = config.d_model
    return Attention(CrossProjections(width, width), nn.Linear(width, width), heads, dropout=config.attention_dropout)


def _feed_forward(config: BartConfig, inner: int) -> FeedForward:
    return FeedForward(
        nn.Linear(config.d_model, inner),
        activation(config.activation_function),
        nn.Linear(inner, config.d_model),
        dropout=config.activation_dropout,
    )


def _post_norm(config: BartConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, nn.LayerNorm(config.d_model), config.dropout)
