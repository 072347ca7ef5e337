"""XLM (Lample and Conneau 2019)."""

from tfx_core.model import Architecture
from tfx_encoders.xlm.config import XLMConfig
from tfx_encoders.xlm.decoding import xlm_decoding
from tfx_encoders.xlm.heads import HEADS
from tfx_encoders.xlm.model import build_backbone, initialise
from tfx_encoders.xlm.text import RECIPE
from tfx_encoders.xlm.weights import backbone_rules

__all__ = ["ARCHITECTURE", "XLMConfig"]


ARCHITECTURE = Architecture(
    config=XLMConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=xlm_decoding,
)
