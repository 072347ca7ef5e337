"""Reformer (Kitaev et al. 2020)."""

import torch
from torch import nn

from tfx_core.model import Architecture, causal_decoding
from tfx_core.nn import initialise_normal
from tfx_decoders.reformer.config import ReformerConfig
from tfx_decoders.reformer.heads import HEADS
from tfx_decoders.reformer.model import build_backbone
from tfx_decoders.reformer.text import RECIPE
from tfx_decoders.reformer.weights import backbone_rules

__all__ = ["ARCHITECTURE", "ReformerConfig"]


def _initialise(path: str, module: nn.Module, config: ReformerConfig, generator: torch.Generator | None) -> None:
    axial = ".position.axes." in path
    initialise_normal(module, config.axial_norm_std if axial else config.initializer_range, generator)


ARCHITECTURE = Architecture(
    config=ReformerConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=causal_decoding,
)
