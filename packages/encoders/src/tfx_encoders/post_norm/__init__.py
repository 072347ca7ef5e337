"""The post-norm encoder (Devlin et al. 2019), of which BERT and its descendants select parts."""

from tfx_encoders.post_norm.config import PostNormConfig
from tfx_encoders.post_norm.model import (
    build_backbone,
    build_embeddings,
    build_layer,
    build_pooler,
    build_position,
    build_relative_position,
    build_self_attention,
    initialise,
)
from tfx_encoders.post_norm.weights import embedding_rules, layer_rules, post_norm_rules

__all__ = [
    "PostNormConfig",
    "build_backbone",
    "build_embeddings",
    "build_layer",
    "build_pooler",
    "build_position",
    "build_relative_position",
    "build_self_attention",
    "embedding_rules",
    "initialise",
    "layer_rules",
    "post_norm_rules",
]
