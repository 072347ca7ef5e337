"""RoBERTa (Liu et al. 2019): BERT with positions that are counted from behind the padding token's row."""

from torch import nn

from tfx_core.model import TransformerBackbone
from tfx_core.nn import OffsetPositions
from tfx_encoders import post_norm
from tfx_encoders.roberta.config import RobertaConfig


def build_backbone(config: RobertaConfig, parts: frozenset[str]) -> TransformerBackbone:
    """The backbone, with or without the ``"pooler"``.

    The mask says which tokens are counted. Where none is given padding is text like any other; the reference leaves it
    out of the count, and attends to it all the same.
    """
    return post_norm.build_backbone(
        config,
        embeddings=post_norm.build_embeddings(config, position=_position(config)),
        pooler=post_norm.build_pooler(config) if "pooler" in parts else None,
        first_position=config.first_position,
    )


def _position(config: RobertaConfig) -> nn.Module:
    first, width = config.first_position, config.hidden_size
    if config.position_embedding_type == "absolute":
        return OffsetPositions(config.max_position_embeddings - first, width, first)
    return post_norm.build_position(config, width)
