"""BERT (Devlin et al. 2019): the encoder, which can also be a decoder with cross-attention."""

from torch import nn

from tfx_core.model import TransformerBackbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    CrossProjections,
    FeedForward,
    FusedProjections,
    Layer,
    Pooler,
    PostNorm,
    SegmentEmbeddings,
    Stack,
    UnreadPositions,
)
from tfx_encoders.bert.config import BertConfig
from tfx_encoders.bert.positions import RelativeKey, RelativeKeyQuery


def build_backbone(config: BertConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone, with or without the ``"pooler"``."""
    # stored also where positions are relative
    position = nn.Embedding if config.position_embedding_type == "absolute" else UnreadPositions
    return TransformerBackbone(
        embeddings=SegmentEmbeddings(
            nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id),
            position(config.max_position_embeddings, config.hidden_size),
            nn.Embedding(config.type_vocab_size, config.hidden_size),
            norm=_norm(config),
            dropout=config.hidden_dropout_prob,
        ),
        stack=Stack(_layer(config, number) for number in range(config.num_hidden_layers)),
        pooler=Pooler(nn.Linear(config.hidden_size, config.hidden_size), nn.Tanh()) if "pooler" in parts else None,
        causal=config.is_decoder,
        max_positions=config.max_position_embeddings,
    )


def _layer(config: BertConfig, number: int) -> Layer:
    heads = config.num_attention_heads - len(config.pruned_heads.get(number, ()))
    crossing = config.is_decoder and config.add_cross_attention
    return Layer(
        self_attention=_post_norm(config, _self_attention(config, heads)),
        cross_attention=_post_norm(config, _cross_attention(config)) if crossing else None,
        feed_forward=_post_norm(
            config,
            FeedForward(
                nn.Linear(config.hidden_size, config.intermediate_size),
                ActivationFunction(config.hidden_act),
                nn.Linear(config.intermediate_size, config.hidden_size),
            ),
        ),
    )


def _self_attention(config: BertConfig, heads: int) -> Attention:
    width = heads * (config.hidden_size // config.num_attention_heads)
    return Attention(
        FusedProjections(config.hidden_size, width),
        nn.Linear(width, config.hidden_size),
        heads,
        position=_position(config),
        dropout=config.attention_probs_dropout_prob,
    )


def _cross_attention(config: BertConfig) -> Attention:
    return Attention(
        CrossProjections(config.hidden_size, config.hidden_size),
        nn.Linear(config.hidden_size, config.hidden_size),
        config.num_attention_heads,
        dropout=config.attention_probs_dropout_prob,
    )


def _position(config: BertConfig) -> nn.Module | None:
    width = config.hidden_size // config.num_attention_heads
    if config.position_embedding_type == "relative_key":
        return RelativeKey(config.max_position_embeddings, width)
    if config.position_embedding_type == "relative_key_query":
        return RelativeKeyQuery(config.max_position_embeddings, width)
    return None


def _post_norm(config: BertConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, _norm(config), config.hidden_dropout_prob)


def _norm(config: BertConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
