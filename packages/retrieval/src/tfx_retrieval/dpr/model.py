"""DPR (Karpukhin et al. 2020): a text encoder under heads of its own."""

import torch
from torch import nn

from tfx_core.model import Backbone
from tfx_retrieval.dpr.config import DprConfig


def build_backbone(config: DprConfig, parts: frozenset[str]) -> Backbone:
    """The text encoder."""
    return config.text_architecture.backbone(config, parts)


def initialise(path: str, module: nn.Module, config: DprConfig, generator: torch.Generator | None) -> None:
    """Fill a module as the text encoder's are filled."""
    config.text_architecture.initialise(path, module, config, generator)
