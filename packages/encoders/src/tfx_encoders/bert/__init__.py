"""BERT (Devlin et al. 2019)."""

import torch
from torch import nn

from tfx_core.generation.causal import causal_decoding
from tfx_core.model import Architecture
from tfx_core.nn import initialise_normal
from tfx_encoders.bert import heads
from tfx_encoders.bert.config import BertConfig
from tfx_encoders.bert.model import build_backbone
from tfx_encoders.bert.text import RECIPE
from tfx_encoders.bert.weights import TIES, weight_table

__all__ = ["ARCHITECTURE", "BertConfig"]


def _initialise(path: str, module: nn.Module, config: BertConfig, generator: torch.Generator | None) -> None:
    initialise_normal(module, config.initializer_range, generator, truncated=True)


def _adapt(config: BertConfig, head: str) -> BertConfig:
    return config.replace(is_decoder=True) if head == "causal-lm" else config


ARCHITECTURE = Architecture(
    config=BertConfig,
    backbone=build_backbone,
    heads={
        "masked-lm": heads.masked_lm,
        "causal-lm": heads.causal_lm,
        "next-sentence": heads.next_sentence,
        "pretraining": heads.pretraining,
        "sequence-classification": heads.sequence_classification,
        "token-classification": heads.token_classification,
        "question-answering": heads.question_answering,
        "multiple-choice": heads.multiple_choice,
    },
    weights=weight_table,
    initialise=_initialise,
    ties=dict.fromkeys(("masked-lm", "causal-lm", "pretraining"), TIES),
    adapt=_adapt,
    text=RECIPE,
    decoding=causal_decoding,
)
