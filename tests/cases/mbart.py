"""mBART."""

from dataclasses import replace

from tests.cases import bart
from tests.models.vocabularies import pieces

CASE = replace(
    bart.CASE,
    # the start token is that of mBART-50; what ends a text that is padded begins it
    tiny={**bart.TINY, "decoder_start_token_id": 2, "pad_token_id": 1},
    released=lambda: pieces(("<unk>", "<s>", "</s>"), file="sentencepiece.bpe.model"),
)
