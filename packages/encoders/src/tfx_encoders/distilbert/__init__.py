"""DistilBERT (Sanh et al. 2019)."""

from tfx_core.model import Architecture
from tfx_encoders.distilbert.config import DistilBertConfig
from tfx_encoders.distilbert.heads import HEADS
from tfx_encoders.distilbert.model import build_backbone, initialise
from tfx_encoders.distilbert.text import RECIPE
from tfx_encoders.distilbert.weights import backbone_rules

__all__ = ["ARCHITECTURE", "DistilBertConfig"]


ARCHITECTURE = Architecture(
    config=DistilBertConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
)
