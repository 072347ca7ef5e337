"""CTRL (Keskar et al. 2019)."""

import torch
from torch import nn

from tfx_core.model import Architecture, causal_decoding
from tfx_core.nn import initialise_normal
from tfx_decoders.ctrl.config import CTRLConfig
from tfx_decoders.ctrl.heads import HEADS
from tfx_decoders.ctrl.model import build_backbone
from tfx_decoders.ctrl.text import RECIPE
from tfx_decoders.ctrl.weights import backbone_rules

__all__ = ["ARCHITECTURE", "CTRLConfig"]


def _initialise(path: str, module: nn.Module, config: CTRLConfig, generator: torch.Generator | None) -> None:
    initialise_normal(module, config.initializer_range, generator)


ARCHITECTURE = Architecture(
    config=CTRLConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=causal_decoding,
)
