"""Llama as the core sees it: config, backbone, heads, weight names, text and decoding, tied together as data."""

import torch
from torch import nn

from tfx_core import Architecture
from tfx_core.model import causal_decoding
from tfx_core.nn import initialise_normal
from tfx_llama.config import LlamaConfig
from tfx_llama.heads import HEADS
from tfx_llama.model import build_backbone
from tfx_llama.text import RECIPE
from tfx_llama.weights import backbone_rules


def _initialise(path: str, module: nn.Module, config: LlamaConfig, generator: torch.Generator | None) -> None:
    initialise_normal(module, config.initializer_range, generator)


ARCHITECTURE = Architecture(
    config=LlamaConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=causal_decoding,
)
