"""mBART."""

from dataclasses import replace

from tests.cases import bart
from tests.models.vocabularies import pieces

CASE = replace(
    bart.CASE,
    tiny={**bart.TINY, "decoder_start_token_id": 2},  # as the files of mBART-50 have it
    released=lambda: pieces(("<unk>", "<s>", "</s>"), file="sentencepiece.bpe.model"),
)
