"""BART (Lewis et al. 2020)."""

import torch
from torch import nn

from tfx_core.model import Architecture
from tfx_core.nn import initialise_normal
from tfx_seq2seq.bart.config import BartConfig
from tfx_seq2seq.bart.heads import HEADS, BiasedPredictions
from tfx_seq2seq.bart.model import build_backbone
from tfx_seq2seq.bart.text import RECIPE
from tfx_seq2seq.bart.weights import backbone_rules
from tfx_seq2seq.decoding import seq2seq_decoding

__all__ = ["ARCHITECTURE", "BartConfig"]


@torch.no_grad()
def _initialise(path: str, module: nn.Module, config: BartConfig, generator: torch.Generator | None) -> None:
    if isinstance(module, BiasedPredictions):
        module.logits_bias.zero_()
    else:
        initialise_normal(module, config.init_std, generator)


ARCHITECTURE = Architecture(
    config=BartConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    parts={"encoder"},
    capabilities={"token-states": ("encoder",)},
    text=RECIPE,
    decoding=seq2seq_decoding,
)
