"""GPT-2's heads: what they compute, what they need, and the names of their tensors."""

from tfx_core.model import HeadPlan
from tfx_core.model.heads import last_token_classification, question_answering, token_classification
from tfx_decoders.gpt import causal_lm, double_heads
from tfx_decoders.gpt2.config import GPT2Config


def _classifier_dropout(config: GPT2Config) -> float:
    given = (rate for rate in (config.classifier_dropout, config.hidden_dropout) if rate is not None)
    return next(given, 0.1)


HEADS: dict[str, HeadPlan[GPT2Config]] = {
    "causal-lm": causal_lm(),
    "double-heads": double_heads(),
    "sequence-classification": last_token_classification(),
    "token-classification": token_classification(_classifier_dropout),
    "question-answering": question_answering(),
}
