"""ProphetNet (Qi et al. 2020)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tfx_core.generation import REPORTS
from tfx_core.model import Architecture, CausalDecoding, Model
from tfx_core.nn import initialise_normal
from tfx_seq2seq.decoding import seq2seq_decoding
from tfx_seq2seq.prophetnet.config import ProphetNetConfig
from tfx_seq2seq.prophetnet.heads import HEADS
from tfx_seq2seq.prophetnet.model import build_backbone
from tfx_seq2seq.prophetnet.text import RECIPE
from tfx_seq2seq.prophetnet.weights import backbone_rules

__all__ = ["ARCHITECTURE", "ProphetNetConfig"]


def _initialise(path: str, module: nn.Module, config: ProphetNetConfig, generator: torch.Generator | None) -> None:
    initialise_normal(module, config.init_std, generator)


def _decoding(model: Model, inputs: Mapping[str, Any]) -> CausalDecoding:
    """The state of one generation: the first predicting stream writes, the others run for those who ask for reports."""
    streams = None if any(inputs.get(name) for name in REPORTS) else 1
    return seq2seq_decoding(model, {**inputs, "streams": streams}, also=("streams",))


ARCHITECTURE = Architecture(
    config=ProphetNetConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=_initialise,
    parts={"encoder", "decoder"},
    capabilities={"token-states": ("encoder",)},
    text=RECIPE,
    decoding=_decoding,
)
