"""Transformer-XL (Dai et al. 2019)."""

import torch
from torch import Tensor, nn

from tfx_core.model import Architecture
from tfx_core.nn import RelativeBiases
from tfx_decoders.transfo_xl.adaptive import Reduction
from tfx_decoders.transfo_xl.config import TransfoXLConfig
from tfx_decoders.transfo_xl.decoding import transfo_xl_decoding
from tfx_decoders.transfo_xl.heads import HEADS
from tfx_decoders.transfo_xl.model import build_backbone
from tfx_decoders.transfo_xl.text import RECIPE
from tfx_decoders.transfo_xl.weights import backbone_rules

__all__ = ["ARCHITECTURE", "TransfoXLConfig"]


@torch.no_grad()
def _initialise(path: str, module: nn.Module, config: TransfoXLConfig, generator: torch.Generator | None) -> None:
    """As the released code: vectors, matrices and norms' weights are random, biases of layers zero."""

    def draw(parameter: Tensor) -> None:
        if config.init == "uniform":
            parameter.uniform_(-config.init_range, config.init_range, generator=generator)
        else:
            parameter.normal_(0.0, config.init_std, generator=generator)

    if isinstance(module, Reduction) or path.startswith("backbone.embeddings.projections."):
        for parameter in module.parameters(recurse=False):
            parameter.normal_(0.0, config.proj_init_std, generator=generator)
    elif isinstance(module, RelativeBiases):
        draw(module.content)
        draw(module.position)
    elif isinstance(module, nn.Linear | nn.Embedding):
        draw(module.weight)
    elif isinstance(module, nn.LayerNorm):
        module.weight.normal_(1.0, config.init_std, generator=generator)
    bias = getattr(module, "bias", None)
    if isinstance(bias, Tensor):
        bias.zero_()


ARCHITECTURE = Architecture(
    config=TransfoXLConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    capabilities={"token-states": ()},
    text=RECIPE,
    decoding=transfo_xl_decoding,
)
