"""ConvBERT's heads: what they compute, and the names of their tensors."""

from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan
from tfx_core.model.heads import (
    LMHead,
    SequenceSummary,
    question_answering,
    sequence_summary,
    summary_choice,
    summary_classification,
    token_classification,
)
from tfx_core.nn import ActivationFunction
from tfx_encoders.convbert.config import ConvBertConfig
from tfx_encoders.heads import build_predictions, first_token, first_token_rules, masked_lm, prediction_rules


def _predictions(config: ConvBertConfig) -> LMHead:
    width, embedding = config.hidden_size, config.embedding_size
    return build_predictions(width, embedding, config.vocab_size, "gelu", config.layer_norm_eps)


def _first_token(config: ConvBertConfig, width: int) -> SequenceSummary:
    return first_token(width, ActivationFunction(config.hidden_act), config.head_dropout, config.head_dropout)


def _dropout(config: ConvBertConfig) -> float:
    return config.head_dropout


PREDICTIONS = prediction_rules("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head")
CHOICE = (
    Rename("sequence_summary.summary.{p}", "head.summary.project.{p}"),
    Rename("classifier.{p}", "head.classifier.{p}"),
)

HEADS: dict[str, HeadPlan[ConvBertConfig]] = {
    "masked-lm": masked_lm(_predictions, PREDICTIONS),
    "sequence-classification": summary_classification(
        _first_token, first_token_rules("classifier.dense", "classifier.out_proj"), "sequence-classifier"
    ),
    "token-classification": token_classification(_dropout),
    "question-answering": question_answering(),
    "multiple-choice": summary_choice(sequence_summary, CHOICE, "choice-classifier"),
}
