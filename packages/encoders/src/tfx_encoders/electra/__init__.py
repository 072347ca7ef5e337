"""ELECTRA (Clark et al. 2020)."""

from tfx_core.model import Architecture, causal_decoding
from tfx_encoders.electra.config import ElectraConfig
from tfx_encoders.electra.heads import HEADS
from tfx_encoders.electra.model import build_backbone
from tfx_encoders.electra.text import RECIPE
from tfx_encoders.electra.weights import backbone_rules
from tfx_encoders.post_norm import initialise

__all__ = ["ARCHITECTURE", "ElectraConfig"]


ARCHITECTURE = Architecture(
    config=ElectraConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=causal_decoding,
)
