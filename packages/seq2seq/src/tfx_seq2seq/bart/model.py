"""BART (Lewis et al. 2020): a post-norm encoder-decoder with learned positions and normalised embeddings."""

from torch import nn

from tfx_core.model import Backbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    CrossProjections,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    OffsetPositions,
    PostNorm,
    Stack,
)
from tfx_seq2seq.backbone import DECODER_IDS, Seq2SeqBackbone, SideBackbone, start_from_source
from tfx_seq2seq.bart.config import BartConfig

POSITION_OFFSET = 2  # the released model's table begins with two rows of padding


def build_backbone(config: BartConfig, parts: frozenset[str]) -> Backbone:
    """The decoder alone, or with its ``"encoder"`` and one token table for both."""
    token = nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_token_id)
    if "encoder" not in parts:
        return _decoder(config, token, "input_ids")
    return Seq2SeqBackbone(
        _encoder(config, token), _decoder(config, token, DECODER_IDS), start=start_from_source(config)
    )


def _encoder(config: BartConfig, token: nn.Embedding) -> SideBackbone:
    return SideBackbone(
        embeddings=_embeddings(config, token, "input_ids"),
        stack=Stack(
            (_encoder_layer(config) for _ in range(config.encoder_layers)), layer_drop=config.encoder_layerdrop
        ),
        max_positions=config.max_position_embeddings,
    )


def _decoder(config: BartConfig, token: nn.Embedding, ids_name: str) -> SideBackbone:
    return SideBackbone(
        embeddings=_embeddings(config, token, ids_name),
        stack=Stack(
            (_decoder_layer(config) for _ in range(config.decoder_layers)), layer_drop=config.decoder_layerdrop
        ),
        causal=True,
        max_positions=config.max_position_embeddings,
    )


def _embeddings(config: BartConfig, token: nn.Embedding, ids_name: str) -> Embeddings:
    return Embeddings(
        token,
        OffsetPositions(config.max_position_embeddings, config.d_model, POSITION_OFFSET),
        scale=config.embedding_scale,
        norm=nn.LayerNorm(config.d_model),
        dropout=config.dropout,
        ids_name=ids_name,
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
        ActivationFunction(config.activation_function),
        nn.Linear(inner, config.d_model),
        dropout=config.activation_dropout,
    )


def _post_norm(config: BartConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, nn.LayerNorm(config.d_model), config.dropout)
