"""ALBERT (Lan et al. 2020): BERT with a factorised embedding and layers that share their weights."""

from torch import nn

from tfx_core.model import CACHE_INPUTS, SOURCE_INPUTS, TransformerBackbone
from tfx_core.nn import Layer, Stack
from tfx_encoders import post_norm
from tfx_encoders.albert.config import AlbertConfig


def build_backbone(config: AlbertConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone, with or without the ``"pooler"``."""
    return post_norm.build_backbone(
        config,
        embeddings=post_norm.build_embeddings(
            config, config.embedding_size, project=nn.Linear(config.embedding_size, config.hidden_size)
        ),
        stack=_stack(config),
        pooler=post_norm.build_pooler(config) if "pooler" in parts else None,
        unread=SOURCE_INPUTS | CACHE_INPUTS,
    )


def _stack(config: AlbertConfig) -> Stack:
    """Every block once; each layer runs those of its group."""
    blocks, groups = config.inner_group_num, config.num_hidden_groups
    group_of_layer = [layer * groups // config.num_hidden_layers for layer in range(config.num_hidden_layers)]
    return Stack(
        (_block(config, number) for number in range(groups * blocks)),
        order=[group * blocks + block for group in group_of_layer for block in range(blocks)],
        blocks=blocks,
    )


def _block(config: AlbertConfig, number: int) -> Layer:
    position = post_norm.build_relative_position(config, scale=1.0)  # added to scores that are scaled already
    return post_norm.build_layer(config, number, post_norm.build_self_attention(config, number, position))
