"""XLM-RoBERTa."""

from dataclasses import replace

from tests.cases import roberta
from tests.models.vocabularies import pieces

CASE = replace(roberta.CASE, released=lambda: pieces(("<unk>", "<s>", "</s>"), file="sentencepiece.bpe.model"))
