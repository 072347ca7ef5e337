"""Longformer (Beltagy et al. 2020)."""

from tfx_core.model import Architecture
from tfx_encoders.longformer.config import LongformerConfig
from tfx_encoders.longformer.heads import HEADS
from tfx_encoders.longformer.model import build_backbone
from tfx_encoders.longformer.text import RECIPE
from tfx_encoders.longformer.weights import backbone_rules
from tfx_encoders.post_norm import initialise

__all__ = ["ARCHITECTURE", "LongformerConfig"]


ARCHITECTURE = Architecture(
    config=LongformerConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    parts={"pooler"},
    capabilities={"token-states": (), "pooled-state": ("pooler",)},
    text=RECIPE,
)
