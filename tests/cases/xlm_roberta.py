"""XLM-RoBERTa."""

from dataclasses import replace

from tests.cases import roberta
from tfx_testing.vocabularies import pieces

CASE = replace(
    roberta.CASE,
    model_type="xlm-roberta",
    released=lambda: pieces(("<unk>", "<s>", "</s>"), file="sentencepiece.bpe.model"),
)
