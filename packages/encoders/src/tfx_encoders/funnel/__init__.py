"""Funnel Transformer (Dai et al. 2020)."""

from tfx_core.model import Architecture
from tfx_encoders.funnel.config import FunnelConfig
from tfx_encoders.funnel.heads import HEADS
from tfx_encoders.funnel.model import build_backbone, initialise
from tfx_encoders.funnel.text import RECIPE
from tfx_encoders.funnel.weights import backbone_rules

__all__ = ["ARCHITECTURE", "FunnelConfig"]


ARCHITECTURE = Architecture(
    config=FunnelConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    parts=("decoder",),
    capabilities={"token-states": ("decoder",)},
    text=RECIPE,
)
