"""BERT (Devlin et al. 2019)."""

from tfx_core.model import Architecture, causal_decoding
from tfx_encoders.bert.config import BertConfig
from tfx_encoders.bert.heads import HEADS
from tfx_encoders.bert.model import build_backbone
from tfx_encoders.bert.text import RECIPE
from tfx_encoders.bert.weights import backbone_rules
from tfx_encoders.post_norm import initialise

__all__ = ["ARCHITECTURE", "BertConfig"]


ARCHITECTURE = Architecture(
    config=BertConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
    parts={"pooler"},
    capabilities={"token-states": (), "pooled-state": ("pooler",)},
    text=RECIPE,
    decoding=causal_decoding,
)
