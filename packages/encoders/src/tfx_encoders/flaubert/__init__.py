"""FlauBERT (Le et al. 2020)."""

from tfx_core.model import Architecture
from tfx_encoders.flaubert.config import FlaubertConfig
from tfx_encoders.flaubert.model import build_backbone
from tfx_encoders.xlm.decoding import xlm_decoding
from tfx_encoders.xlm.heads import HEADS
from tfx_encoders.xlm.model import initialise
from tfx_encoders.xlm.weights import backbone_rules

__all__ = ["ARCHITECTURE", "FlaubertConfig"]


ARCHITECTURE = Architecture(
    config=FlaubertConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    capabilities={"token-states": ()},
    text=None,
    decoding=xlm_decoding,
)
