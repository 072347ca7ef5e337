"""ELECTRA's heads: what they compute, and the names of their tensors."""

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
from tfx_encoders.electra.config import ElectraConfig
from tfx_encoders.heads import (
    build_predictions,
    causal_lm,
    first_token,
    first_token_rules,
    masked_lm,
    prediction_rules,
    replaced_tokens,
)


def _predictions(config: ElectraConfig) -> LMHead:
    # the generator's activation is this one, whatever that of the layers is
    return build_predictions(
        config.hidden_size, config.embedding_size, config.vocab_size, "gelu", config.layer_norm_eps
    )


def _first_token(config: ElectraConfig, width: int) -> SequenceSummary:
    return first_token(width, ActivationFunction("gelu"), config.head_dropout, config.head_dropout)


PREDICTIONS = prediction_rules("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head")
CHOICE = (
    Rename("sequence_summary.summary.{p}", "head.summary.project.{p}"),
    Rename("classifier.{p}", "head.classifier.{p}"),
)

HEADS: dict[str, HeadPlan[ElectraConfig]] = {
    "pretraining": replaced_tokens(lambda config: config.hidden_act),
    "masked-lm": masked_lm(_predictions, PREDICTIONS),
    "causal-lm": causal_lm(_predictions, PREDICTIONS),
    "sequence-classification": summary_classification(
        _first_token, first_token_rules("classifier.dense", "classifier.out_proj"), "sequence-classifier"
    ),
    "token-classification": token_classification(lambda config: config.head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": summary_choice(sequence_summary, CHOICE, "choice-classifier"),
}
