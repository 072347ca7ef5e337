"""RoBERTa's heads: what they compute, what they need, and the names of their tensors."""

from torch import nn

from tfx_core.model import HeadPlan
from tfx_core.model.heads import LMHead, question_answering, token_classification
from tfx_encoders.heads import (
    build_predictions,
    causal_lm,
    first_token_classification,
    head_dropout,
    masked_lm,
    pooled_choice,
    prediction_rules,
)
from tfx_encoders.roberta.config import RobertaConfig


def predictions(config: RobertaConfig) -> LMHead:
    """What makes logits of states, with the activation of the released code whatever ``hidden_act`` says."""
    return build_predictions(config.hidden_size, config.hidden_size, config.vocab_size, "gelu", config.layer_norm_eps)


PREDICTIONS = prediction_rules("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias")

HEADS: dict[str, HeadPlan[RobertaConfig]] = {
    "masked-lm": masked_lm(predictions, PREDICTIONS),
    "causal-lm": causal_lm(predictions, PREDICTIONS),
    "sequence-classification": first_token_classification(lambda config: nn.Tanh()),
    "token-classification": token_classification(head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": pooled_choice(lambda config: config.hidden_dropout_prob),
}
