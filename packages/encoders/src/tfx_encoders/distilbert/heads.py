"""DistilBERT's heads: what they compute, and the names of their tensors."""

from torch import nn

from tfx_core.model import HeadPlan
from tfx_core.model.heads import (
    LMHead,
    SequenceSummary,
    question_answering,
    summary_choice,
    summary_classification,
    token_classification,
)
from tfx_encoders.distilbert.config import DistilBertConfig
from tfx_encoders.distilbert.model import EPSILON
from tfx_encoders.heads import build_predictions, first_token, first_token_rules, masked_lm, prediction_rules


def _predictions(config: DistilBertConfig) -> LMHead:
    return build_predictions(config.dim, config.dim, config.vocab_size, config.activation, EPSILON)


def _first_token(config: DistilBertConfig, width: int) -> SequenceSummary:
    return first_token(width, nn.ReLU(), 0.0, config.seq_classif_dropout)


CLASSIFIER = first_token_rules("pre_classifier", "classifier")

HEADS: dict[str, HeadPlan[DistilBertConfig]] = {
    "masked-lm": masked_lm(_predictions, prediction_rules("vocab_transform", "vocab_layer_norm", "vocab_projector")),
    "sequence-classification": summary_classification(_first_token, CLASSIFIER, "sequence-classifier"),
    "token-classification": token_classification(lambda config: config.dropout),
    "question-answering": question_answering(lambda config: config.qa_dropout),
    "multiple-choice": summary_choice(_first_token, CLASSIFIER, "choice-classifier"),
}
