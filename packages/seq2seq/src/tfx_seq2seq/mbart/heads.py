"""mBART's heads."""

from tfx_core.model import HeadPlan
from tfx_core.model.heads import question_answering
from tfx_seq2seq.bart_kin import causal_lm, conditional_generation
from tfx_seq2seq.heads import end_token_classification
from tfx_seq2seq.mbart.config import MBartConfig
from tfx_seq2seq.mbart.model import DESIGN

HEADS: dict[str, HeadPlan[MBartConfig]] = {
    "conditional-generation": conditional_generation(DESIGN.shift),
    "sequence-classification": end_token_classification(lambda config: config.classifier_dropout, parts={"encoder"}),
    "question-answering": question_answering(parts={"encoder"}),
    "causal-lm": causal_lm(),
}
