"""ConvBERT (Jiang et al. 2020)."""

from tfx_core.model import Architecture
from tfx_encoders.convbert.config import ConvBertConfig
from tfx_encoders.convbert.heads import HEADS
from tfx_encoders.convbert.model import build_backbone, initialise
from tfx_encoders.convbert.text import RECIPE
from tfx_encoders.convbert.weights import backbone_rules

__all__ = ["ARCHITECTURE", "ConvBertConfig"]


ARCHITECTURE = Architecture(
    config=ConvBertConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
)
