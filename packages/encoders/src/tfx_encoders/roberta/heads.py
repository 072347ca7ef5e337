"""RoBERTa's heads: what they compute, what they need, and the names of their tensors."""

from torch import nn

from tfx_core.model import HeadPlan
from tfx_core.model.heads import (
    LMHead,
    SequenceSummary,
    question_answering,
    summary_classification,
    token_classification,
)
from tfx_encoders.heads import (
    build_predictions,
    causal_lm,
    first_token,
    first_token_rules,
    masked_lm,
    pooled_choice,
    prediction_rules,
)
from tfx_encoders.roberta.config import RobertaConfig


def _predictions(config: RobertaConfig) -> LMHead:
    return build_predictions(config.hidden_size, config.hidden_size, config.vocab_size, "gelu", config.layer_norm_eps)


def _summary(config: RobertaConfig, width: int) -> SequenceSummary:
    return first_token(width, nn.Tanh(), config.head_dropout, config.head_dropout)


PREDICTIONS = prediction_rules("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias")

HEADS: dict[str, HeadPlan[RobertaConfig]] = {
    "masked-lm": masked_lm(_predictions, PREDICTIONS),
    "causal-lm": causal_lm(_predictions, PREDICTIONS),
    "sequence-classification": summary_classification(
        _summary, first_token_rules("classifier.dense", "classifier.out_proj"), part="sequence-classifier"
    ),
    "token-classification": token_classification(lambda config: config.head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": pooled_choice(lambda config: config.hidden_dropout_prob),
}
