"""BART's heads."""

from tfx_core.model import HeadPlan
from tfx_core.model.heads import question_answering
from tfx_seq2seq.bart.config import BartConfig
from tfx_seq2seq.bart_kin import causal_lm, conditional_generation
from tfx_seq2seq.heads import end_token_classification

HEADS: dict[str, HeadPlan[BartConfig]] = {
    "conditional-generation": conditional_generation(),
    "sequence-classification": end_token_classification(lambda config: config.classifier_dropout, parts={"encoder"}),
    "question-answering": question_answering(parts={"encoder"}),
    "causal-lm": causal_lm(),
}
