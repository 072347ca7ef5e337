"""GPT (Radford et al. 2018)."""

import torch
from torch import nn

from tfx_core.model import Architecture, causal_decoding
from tfx_core.nn import initialise_normal
from tfx_decoders.openai_gpt.config import OpenAIGPTConfig
from tfx_decoders.openai_gpt.heads import HEADS
from tfx_decoders.openai_gpt.model import build_backbone
from tfx_decoders.openai_gpt.text import RECIPE
from tfx_decoders.openai_gpt.weights import backbone_rules

__all__ = ["ARCHITECTURE", "OpenAIGPTConfig"]


def _initialise(path: str, module: nn.Module, config: OpenAIGPTConfig, generator: torch.Generator | None) -> None:
    initialise_normal(module, config.initializer_range, generator)


ARCHITECTURE = Architecture(
    config=OpenAIGPTConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=causal_decoding,
)
