"""ELECTRA's heads: what they compute, and the names of their tensors."""

from tfx_core.model import HeadPlan
from tfx_core.model.heads import LMHead, question_answering, token_classification
from tfx_core.nn import ActivationFunction
from tfx_encoders.electra.config import ElectraConfig
from tfx_encoders.heads import (
    GENERATOR,
    build_predictions,
    causal_lm,
    described_choice,
    first_token_classification,
    head_dropout,
    masked_lm,
    replaced_tokens,
)


def _predictions(config: ElectraConfig) -> LMHead:
    # the generator's activation is this one, whatever that of the layers is
    width, embedding = config.hidden_size, config.embedding_size
    return build_predictions(width, embedding, config.vocab_size, "gelu", config.layer_norm_eps)


HEADS: dict[str, HeadPlan[ElectraConfig]] = {
    "pretraining": replaced_tokens(lambda config: config.hidden_act),
    "masked-lm": masked_lm(_predictions, GENERATOR),
    "causal-lm": causal_lm(_predictions, GENERATOR),
    "sequence-classification": first_token_classification(lambda config: ActivationFunction("gelu")),
    "token-classification": token_classification(head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": described_choice(),
}
