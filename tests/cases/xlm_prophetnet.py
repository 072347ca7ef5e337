"""XLM-ProphetNet."""

from dataclasses import replace

from tests.cases import prophetnet
from tfx_testing.vocabularies import pieces

CASE = replace(
    prophetnet.CASE,
    model_type="xlm-prophetnet",
    released=lambda: pieces(("<unk>", "<s>", "</s>"), file="prophetnet.tokenizer"),
)
