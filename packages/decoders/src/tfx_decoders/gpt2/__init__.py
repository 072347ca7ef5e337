"""GPT-2 (Radford et al. 2019)."""

import torch
from torch import nn

from tfx_core.model import Architecture, causal_decoding
from tfx_core.nn import initialise_normal
from tfx_decoders.gpt2.config import GPT2Config
from tfx_decoders.gpt2.heads import HEADS
from tfx_decoders.gpt2.model import build_backbone
from tfx_decoders.gpt2.text import RECIPE
from tfx_decoders.gpt2.weights import backbone_rules

__all__ = ["ARCHITECTURE", "GPT2Config"]


def _initialise(path: str, module: nn.Module, config: GPT2Config, generator: torch.Generator | None) -> None:
    std = config.initializer_range
    if path.endswith((".out", ".down")):
        std /= (2 * config.n_layer) ** 0.5  # layers that write to the residual stream (paper, §2.3)
    initialise_normal(module, std, generator)


ARCHITECTURE = Architecture(
    config=GPT2Config,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=causal_decoding,
)
