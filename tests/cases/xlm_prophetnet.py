"""XLM-ProphetNet."""

from dataclasses import replace

from tests.cases import prophetnet
from tests.models.vocabularies import pieces

CASE = replace(prophetnet.CASE, released=lambda: pieces(("<unk>", "<s>", "</s>"), file="prophetnet.tokenizer"))
