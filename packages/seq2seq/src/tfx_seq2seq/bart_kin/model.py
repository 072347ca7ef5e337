"""Encoder and decoder of BART and its relatives, with what a `Design` selects."""

import torch
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
    Stack,
    initialise_normal,
)
from tfx_seq2seq.backbone import DECODER_IDS, Seq2SeqBackbone, SideBackbone, start_from_source
from tfx_seq2seq.bart_kin.config import BartKinConfig
from tfx_seq2seq.bart_kin.design import Design
from tfx_seq2seq.bart_kin.heads import BiasedPredictions


@torch.no_grad()
def initialise(path: str, module: nn.Module, config: BartKinConfig, generator: torch.Generator | None) -> None:
    """As in the papers."""
    if isinstance(module, BiasedPredictions):
        module.logits_bias.zero_()
    else:
        initialise_normal(module, config.init_std, generator)


def build_backbone(design: Design, config: BartKinConfig, parts: frozenset[str]) -> Backbone:
    """The decoder alone, or with its ``"encoder"`` and one token table for both."""
    token = nn.Embedding(config.vocab_size, config.d_model, padding_idx=config.pad_token_id)
    if "encoder" not in parts:
        return _decoder(design, config, token, "input_ids")
    return Seq2SeqBackbone(
        _encoder(design, config, token), _decoder(design, config, token, DECODER_IDS), start=start_from_source(config)
    )


def _encoder(design: Design, config: BartKinConfig, token: nn.Embedding) -> SideBackbone:
    return SideBackbone(
        embeddings=_embeddings(design, config, token, "input_ids"),
        stack=Stack(
            (_encoder_layer(design, config) for _ in range(config.encoder_layers)),
            norm=_final_norm(design, config),
            layer_drop=config.encoder_layerdrop,
        ),
        max_positions=config.max_position_embeddings,
    )


def _decoder(design: Design, config: BartKinConfig, token: nn.Embedding, ids_name: str) -> SideBackbone:
    return SideBackbone(
        embeddings=_embeddings(design, config, token, ids_name),
        stack=Stack(
            (_decoder_layer(design, config) for _ in range(config.decoder_layers)),
            norm=_final_norm(design, config),
            layer_drop=config.decoder_layerdrop,
        ),
        causal=True,
        max_positions=config.max_position_embeddings,
    )


def _embeddings(design: Design, config: BartKinConfig, token: nn.Embedding, ids_name: str) -> Embeddings:
    return Embeddings(
        token,
        design.positions(config),
        scale=config.embedding_scale,
        norm=nn.LayerNorm(config.d_model) if design.embedding_norm else None,
        dropout=config.dropout,
        ids_name=ids_name,
    )


def _encoder_layer(design: Design, config: BartKinConfig) -> Layer:
    return Layer(
        self_attention=_residual(design, config, _self_attention(config, config.encoder_attention_heads)),
        feed_forward=_residual(design, config, _feed_forward(config, config.encoder_ffn_dim)),
    )


def _decoder_layer(design: Design, config: BartKinConfig) -> Layer:
    return Layer(
        self_attention=_residual(design, config, _self_attention(config, config.decoder_attention_heads)),
        cross_attention=_residual(design, config, _cross_attention(config, config.decoder_attention_heads)),
        feed_forward=_residual(design, config, _feed_forward(config, config.decoder_ffn_dim)),
    )


def _self_attention(config: BartKinConfig, heads: int) -> Attention:
    width = config.d_model
    return Attention(FusedProjections(width, width), nn.Linear(width, width), heads, dropout=config.attention_dropout)


def _cross_attention(config: BartKinConfig, heads: int) -> Attention:
    width = config.d_model
    return Attention(CrossProjections(width, width), nn.Linear(width, width), heads, dropout=config.attention_dropout)


def _feed_forward(config: BartKinConfig, inner: int) -> FeedForward:
    return FeedForward(
        nn.Linear(config.d_model, inner),
        ActivationFunction(config.activation_function),
        nn.Linear(inner, config.d_model),
        dropout=config.activation_dropout,
    )


def _residual(design: Design, config: BartKinConfig, sublayer: nn.Module) -> nn.Module:
    return design.residual(sublayer, nn.LayerNorm(config.d_model), config.dropout)


def _final_norm(design: Design, config: BartKinConfig) -> nn.Module | None:
    return nn.LayerNorm(config.d_model) if design.final_norm else None
