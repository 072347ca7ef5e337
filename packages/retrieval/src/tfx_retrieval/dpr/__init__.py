"""Dense passage retrieval (Karpukhin et al. 2020)."""

from tfx_core.model import Architecture, extended
from tfx_retrieval.dpr.config import DprConfig
from tfx_retrieval.dpr.heads import HEADS
from tfx_retrieval.dpr.model import build_backbone, initialise
from tfx_retrieval.dpr.text import RECIPE
from tfx_retrieval.dpr.weights import backbone_rules

__all__ = ["ARCHITECTURE", "DprConfig"]


ARCHITECTURE = Architecture(
    config=extended(DprConfig),
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
)
