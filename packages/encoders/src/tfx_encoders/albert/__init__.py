"""ALBERT (Lan et al. 2020)."""

from tfx_core.model import Architecture
from tfx_encoders.albert.config import AlbertConfig
from tfx_encoders.albert.heads import HEADS
from tfx_encoders.albert.model import build_backbone
from tfx_encoders.albert.text import RECIPE
from tfx_encoders.albert.weights import backbone_rules
from tfx_encoders.post_norm import initialise

__all__ = ["ARCHITECTURE", "AlbertConfig"]


ARCHITECTURE = Architecture(
    config=AlbertConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    parts={"pooler"},
    capabilities={"token-states": (), "pooled-state": ("pooler",)},
    text=RECIPE,
)
