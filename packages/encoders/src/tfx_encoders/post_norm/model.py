"""The parts of the post-norm encoder, which can also be a decoder with cross-attention (Devlin et al. 2019).

Each is built from a config; an architecture's own ``model.py`` says where it takes another one.
"""

from collections.abc import Callable, Collection

import torch
from torch import nn

from tfx_core.model import TransformerBackbone
from tfx_core.nn import (
    ActivationFunction,
    Attention,
    CrossProjections,
    Embeddings,
    FeedForward,
    FusedProjections,
    Layer,
    Pooler,
    PostNorm,
    SegmentEmbeddings,
    Stack,
    UnreadPositions,
    initialise_normal,
)
from tfx_encoders.post_norm.config import PostNormConfig
from tfx_encoders.post_norm.positions import RelativeKey, RelativeKeyQuery


def build_backbone(
    config: PostNormConfig,
    *,
    embeddings: Embeddings | None = None,
    stack: Stack | None = None,
    pooler: nn.Module | None = None,
    first_position: int = 0,
    unread: Collection[str] = (),
) -> TransformerBackbone:
    """The backbone; embeddings and stack are BERT's unless others are given.

    ``first_position`` is the row of the position table that belongs to a text's first token; ``unread`` inputs are none
    of the model's.
    """
    return TransformerBackbone(
        embeddings=build_embeddings(config) if embeddings is None else embeddings,
        stack=Stack(build_layer(config, number) for number in range(config.num_hidden_layers))
        if stack is None
        else stack,
        pooler=pooler,
        causal=config.is_decoder,
        first_position=first_position,
        max_positions=config.max_position_embeddings - first_position,
        width=config.hidden_size,
        unread=unread,
    )


def build_embeddings(
    config: PostNormConfig,
    width: int | None = None,
    *,
    position: nn.Module | None = None,
    project: nn.Module | None = None,
) -> SegmentEmbeddings:
    """Tokens, positions and segments, normalised; ``width`` is that of the hidden states unless it is projected."""
    width = config.hidden_size if width is None else width
    return SegmentEmbeddings(
        nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id),
        build_position(config, width) if position is None else position,
        nn.Embedding(config.type_vocab_size, width),
        norm=nn.LayerNorm(width, eps=config.layer_norm_eps),
        dropout=config.hidden_dropout_prob,
        project=project,
    )


def build_position(config: PostNormConfig, width: int) -> nn.Module:
    """The table of positions, which is stored also where they are relative."""
    table = nn.Embedding if config.position_embedding_type == "absolute" else UnreadPositions
    return table(config.max_position_embeddings, width)


def build_pooler(config: PostNormConfig) -> Pooler:
    """A layer with a tanh over the first token's state."""
    return Pooler(nn.Linear(config.hidden_size, config.hidden_size), nn.Tanh())


def build_layer(
    config: PostNormConfig,
    number: int,
    self_attention: nn.Module | None = None,
    linear: Callable[[int, int], nn.Module] = nn.Linear,
) -> Layer:
    """The layer of this number, with `build_self_attention` unless another is given.

    ``linear`` makes a layer of the feed-forward ones of the numbers of its inputs and outputs.
    """
    crossing = config.is_decoder and config.add_cross_attention
    own = build_self_attention(config, number) if self_attention is None else self_attention
    return Layer(
        self_attention=_post_norm(config, own),
        cross_attention=_post_norm(config, _cross_attention(config)) if crossing else None,
        feed_forward=_post_norm(
            config,
            FeedForward(
                linear(config.hidden_size, config.intermediate_size),
                ActivationFunction(config.hidden_act),
                linear(config.intermediate_size, config.hidden_size),
            ),
        ),
    )


def build_self_attention(config: PostNormConfig, number: int, position: nn.Module | None = None) -> Attention:
    """The self-attention of the layer of this number, without its pruned heads.

    ``position`` is `build_relative_position` unless another is given.
    """
    heads = config.num_attention_heads - len(config.pruned_heads.get(number, ()))
    width = heads * (config.hidden_size // config.num_attention_heads)
    return Attention(
        FusedProjections(config.hidden_size, width),
        nn.Linear(width, config.hidden_size),
        heads,
        position=build_relative_position(config) if position is None else position,
        dropout=config.attention_probs_dropout_prob,
    )


def build_relative_position(config: PostNormConfig, scale: float | None = None) -> nn.Module | None:
    """What the distance adds to the scores, times ``scale``, which is that of the scores unless it is given."""
    width = config.hidden_size // config.num_attention_heads
    if config.position_embedding_type == "relative_key":
        return RelativeKey(config.max_position_embeddings, width, scale)
    if config.position_embedding_type == "relative_key_query":
        return RelativeKeyQuery(config.max_position_embeddings, width, scale)
    return None


def _cross_attention(config: PostNormConfig) -> Attention:
    return Attention(
        CrossProjections(config.hidden_size, config.hidden_size),
        nn.Linear(config.hidden_size, config.hidden_size),
        config.num_attention_heads,
        dropout=config.attention_probs_dropout_prob,
    )


def _post_norm(config: PostNormConfig, sublayer: nn.Module) -> PostNorm:
    return PostNorm(sublayer, nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps), config.hidden_dropout_prob)


def initialise(path: str, module: nn.Module, config: PostNormConfig, generator: torch.Generator | None) -> None:
    """Fill a module as BERT's released code does: normal, cut at two standard deviations."""
    initialise_normal(module, config.initializer_range, generator, truncated=True)
