"""BART (Lewis et al. 2020)."""

import torch
from torch import nn

from tfx_core.model import Architecture
from tfx_core.nn import initialise_normal
from tfx_seq2seq.bart import heads
from tfx_seq2seq.bart.config import BartConfig
from tfx_seq2seq.bart.model import build_backbone
from tfx_seq2seq.bart.text import RECIPE
from tfx_seq2seq.bart.weights import TIES, weight_table
from tfx_seq2seq.decoding import seq2seq_decoding

__all__ = ["ARCHITECTURE", "BartConfig"]


@torch.no_grad()
def _initialise(path: str, module: nn.Module, config: BartConfig, generator: torch.Generator | None) -> None:
    if isinstance(module, heads.BiasedPredictions):
        module.logits_bias.zero_()
    else:
        initialise_normal(module, config.init_std, generator)


def _adapt(config: BartConfig, head: str) -> BartConfig:
    return config.replace(is_decoder=True, is_encoder_decoder=False) if head == "causal-lm" else config


ARCHITECTURE = Architecture(
    config=BartConfig,
    backbone=build_backbone,
    heads={
        "conditional-generation": heads.conditional_generation,
        "sequence-classification": heads.sequence_classification,
        "question-answering": heads.question_answering,
        "causal-lm": heads.causal_lm,
    },
    weights=weight_table,
    initialise=_initialise,
    ties=dict.fromkeys(("conditional-generation", "causal-lm"), TIES),
    adapt=_adapt,
    text=RECIPE,
    decoding=seq2seq_decoding,
)
