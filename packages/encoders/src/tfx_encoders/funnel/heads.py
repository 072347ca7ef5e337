"""Funnel's heads: what they compute, and the names of their tensors."""

from dataclasses import replace

from torch import nn

from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan
from tfx_core.model.heads import (
    LMHead,
    MaskedLMHead,
    NoHead,
    SequenceSummary,
    question_answering,
    summary_choice,
    summary_classification,
    token_classification,
)
from tfx_encoders.funnel.config import FunnelConfig
from tfx_encoders.heads import TIES, first_token, first_token_rules, replaced_tokens

DECODER = frozenset({"decoder"})
"""What the heads need that say something of every token."""


def _first_token(config: FunnelConfig, width: int) -> SequenceSummary:
    return first_token(width, nn.Tanh(), 0.0, config.hidden_dropout)


CLASSIFIER = first_token_rules("classifier.linear_hidden", "classifier.linear_out")

HEADS: dict[str, HeadPlan[FunnelConfig]] = {
    "encoder-only": HeadPlan(lambda config, backbone: NoHead(), prefix=""),
    "pretraining": replace(replaced_tokens(lambda config: config.hidden_act), parts=DECODER),
    "masked-lm": HeadPlan(
        lambda config, backbone: MaskedLMHead(LMHead(nn.Linear(config.d_model, config.vocab_size))),
        rules={"predictions": (Rename("lm_head.{p}", "head.predictions.decoder.{p}"),)},
        parts=DECODER,
        ties=TIES,
    ),
    "sequence-classification": summary_classification(_first_token, CLASSIFIER, "sequence-classifier"),
    "token-classification": replace(token_classification(lambda config: config.hidden_dropout), parts=DECODER),
    "question-answering": question_answering(parts=DECODER),
    "multiple-choice": summary_choice(_first_token, CLASSIFIER, "choice-classifier"),
}
