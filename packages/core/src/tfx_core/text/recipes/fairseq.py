"""What the dictionaries of fairseq have in common, whatever cuts the text: their special tokens and their first ids."""

from collections.abc import Mapping, Sequence

from tokenizers import AddedToken

from tfx_core.errors import TextError, shown
from tfx_core.text.recipe import Settings
from tfx_core.text.sentencepiece_model import Piece, PieceKind

FAIRSEQ_TOKENS: Mapping[str, str | AddedToken] = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    # stands for a word with the blank before it
    "mask_token": AddedToken("<mask>", lstrip=True, special=True, normalized=False),
}
"""Role -> token."""


def fairseq_order(pieces: Sequence[Piece], settings: Settings) -> Sequence[Piece]:
    """The pieces of a SentencePiece model by the ids of a dictionary.

    It begins with four tokens of its own in the place of the model's three, and ends with ``<mask>``. Raises
    `TextError` for a model that does not begin with these three.
    """
    begin = [piece.text for piece in pieces[:3]]
    if {*begin} != {"<unk>", "<s>", "</s>"}:
        raise TextError(
            f"{settings.label}: its model's first pieces are {', '.join(map(shown, begin))}; they must be <unk>, <s> "
            "and </s>, in whose place the ids of this family begin"
        )
    control = (Piece(text, kind=PieceKind.CONTROL) for text in ("<s>", "<pad>", "</s>"))
    return [*control, Piece("<unk>", kind=PieceKind.UNKNOWN), *pieces[3:], Piece("<mask>", kind=PieceKind.CONTROL)]
