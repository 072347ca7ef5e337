"""ConvBERT's heads: what they compute, and the names of their tensors."""

from tfx_core.model import HeadPlan
from tfx_core.model.heads import LMHead, question_answering, token_classification
from tfx_core.nn import ActivationFunction
from tfx_encoders.convbert.config import ConvBertConfig
from tfx_encoders.heads import (
    GENERATOR,
    build_predictions,
    described_choice,
    first_token_classification,
    head_dropout,
    masked_lm,
    replaced_tokens,
)


def _predictions(config: ConvBertConfig) -> LMHead:
    width, embedding = config.hidden_size, config.embedding_size
    return build_predictions(width, embedding, config.vocab_size, "gelu", config.layer_norm_eps)


HEADS: dict[str, HeadPlan[ConvBertConfig]] = {
    "pretraining": replaced_tokens(lambda config: config.hidden_act),
    "masked-lm": masked_lm(_predictions, GENERATOR),
    "sequence-classification": first_token_classification(lambda config: ActivationFunction(config.hidden_act)),
    "token-classification": token_classification(head_dropout),
    "question-answering": question_answering(),
    "multiple-choice": described_choice(),
}
