"""XLNet (Yang et al. 2019)."""

import torch
from torch import nn

from tfx_core.model import Architecture
from tfx_core.nn import RelativeBiases, SegmentPosition, initialise_normal
from tfx_decoders.xlnet.config import XLNetConfig
from tfx_decoders.xlnet.decoding import xlnet_decoding
from tfx_decoders.xlnet.heads import HEADS
from tfx_decoders.xlnet.model import XLNetBackbone, build_backbone
from tfx_decoders.xlnet.text import RECIPE
from tfx_decoders.xlnet.weights import backbone_rules

__all__ = ["ARCHITECTURE", "XLNetConfig"]


@torch.no_grad()
def _initialise(path: str, module: nn.Module, config: XLNetConfig, generator: torch.Generator | None) -> None:
    if isinstance(module, XLNetBackbone | SegmentPosition | RelativeBiases):
        # the biases of positions are vectors like others: they do not begin at zero
        for parameter in module.parameters(recurse=False):
            parameter.normal_(0.0, config.initializer_range, generator=generator)
    else:
        initialise_normal(module, config.initializer_range, generator)


ARCHITECTURE = Architecture(
    config=XLNetConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=xlnet_decoding,
)
