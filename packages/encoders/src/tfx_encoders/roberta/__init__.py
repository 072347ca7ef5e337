"""RoBERTa (Liu et al. 2019)."""

from tfx_core.model import Architecture, causal_decoding
from tfx_encoders.post_norm import initialise
from tfx_encoders.roberta.config import RobertaConfig
from tfx_encoders.roberta.heads import HEADS
from tfx_encoders.roberta.model import build_backbone
from tfx_encoders.roberta.text import RECIPE
from tfx_encoders.roberta.weights import backbone_rules

__all__ = ["ARCHITECTURE", "RobertaConfig"]


ARCHITECTURE = Architecture(
    config=RobertaConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    parts={"pooler"},
    capabilities={"token-states": (), "pooled-state": ("pooler",)},
    text=RECIPE,
    decoding=causal_decoding,
)
