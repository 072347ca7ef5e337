"""BERT (Devlin et al. 2019)."""

import torch
from torch import nn

from tfx_core.model import Architecture, causal_decoding
from tfx_core.nn import initialise_normal
from tfx_encoders.bert.config import BertConfig
from tfx_encoders.bert.heads import HEADS
from tfx_encoders.bert.model import build_backbone
from tfx_encoders.bert.text import RECIPE
from tfx_encoders.bert.weights import backbone_rules

__all__ = ["ARCHITECTURE", "BertConfig"]


def _initialise(path: str, module: nn.Module, config: BertConfig, generator: torch.Generator | None) -> None:
    initialise_normal(module, config.initializer_range, generator, truncated=True)


ARCHITECTURE = Architecture(
    config=BertConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    parts={"pooler"},
    capabilities={"token-states": (), "pooled-state": ("pooler",)},
    text=RECIPE,
    decoding=causal_decoding,
)
