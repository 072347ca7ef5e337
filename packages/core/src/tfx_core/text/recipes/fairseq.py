"""What the dictionaries of fairseq have in common, whatever cuts the text: their special tokens and their first ids."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tokenizers import AddedToken

from tfx_core.errors import TextError, shown
from tfx_core.text.recipe import Settings
from tfx_core.text.sentencepiece_model import Piece, PieceKind

FAIRSEQ_TOKENS: Mapping[str, str | AddedToken] = MappingProxyType({
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    # stands for a word with the blank before it
    "mask_token": AddedToken("<mask>", lstrip=True, special=True, normalized=False),
})  # fmt: skip
"""Role -> token."""


def fairseq_order(pieces: Sequence[Piece], settings: Settings, before_mask: Sequence[str] = ()) -> list[Piece]:
    """The pieces of a SentencePiece model by the ids of a dictionary.

    It begins with four tokens of its own in the place of the model's three, and ends with ``<mask>``, ``before_mask``
    of which come tokens such as the codes of languages. Raises `TextError` for a model that does not begin with these.
    """
    own = sorted(piece.text for piece in pieces[:3])
    if own != ["</s>", "<s>", "<unk>"]:
        raise TextError(
            f"{settings.label}: the model's first pieces are {', '.join(map(shown, own))}; ids can be given to those "
            "of one that begins with <unk>, <s> and </s>"
        )

    def control(text: str) -> Piece:
        return Piece(text, kind=PieceKind.UNKNOWN if text == "<unk>" else PieceKind.CONTROL)

    first, last = ("<s>", "<pad>", "</s>", "<unk>"), (*before_mask, "<mask>")
    return [*map(control, first), *pieces[3:], *map(control, last)]
