"""Pegasus's tokenizer: a SentencePiece model behind the tokens of its pretraining.

The released models were trained on texts whose line breaks are written ``<n>``, a piece of their own. As in the
reference library, a line break is a blank here, and ``<n>`` in what the model writes stays as it is, unless
``line_breaks`` is true: then a line break is read as ``<n>``, and ``<n>`` is written as a line break.
"""

from collections.abc import Sequence
from dataclasses import replace

from tokenizers import AddedToken, Tokenizer, decoders, normalizers

from tfx_core.checkpoint import Folder
from tfx_core.errors import TextError, shown
from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Piece, PieceKind, sentencepiece_recipe

LINE_BREAK = "<n>"
"""The piece that stands for one."""

MASKS = ("<mask_1>", "<mask_2>")
"""What stands for a sentence and for a word in pretraining."""

MOST_RESERVED = 10_000
"""Released models have 103, and none."""


def naming_reserved(settings: Settings) -> Settings:
    """The settings with all tokens of pretraining, as many as ``offset`` says, among the special ones.

    Raises `TextError` for a number of them that no model has.
    """
    count = settings.integer("offset")
    if not (count == 0 or len(MASKS) <= count <= MOST_RESERVED):
        raise TextError(
            f"{settings.label}: offset is {shown(count)}; it must be 0, or from {len(MASKS)} to {MOST_RESERVED}"
        )
    sentence = [] if settings.values["mask_token_sent"] is None else [settings.text("mask_token_sent")]
    named = settings.additional_special_tokens
    known = {token.content for token in named}
    absent = (text for text in (*sentence, *reserved(count)[len(MASKS) :]) if text not in known)
    tokens = (AddedToken(text, special=True, normalized=False) for text in absent)
    return replace(settings, additional_special_tokens=(*tokens, *named))


def reserved(count: int) -> list[str]:
    """The tokens of pretraining, in the order of their ids: the masks, ``<unk_2>``, ``<unk_3>``, …"""
    return [*MASKS, *(f"<unk_{number}>" for number in range(len(MASKS), count))] if count else []


def behind_the_reserved(pieces: Sequence[Piece], settings: Settings) -> Sequence[Piece]:
    """The vocabulary: the tokens of pretraining between ``</s>`` and the other pieces.

    Raises `TextError` for a model that does not begin with ``<pad>`` and ``</s>``.
    """
    begin = [piece.text for piece in pieces[:2]]
    if begin != ["<pad>", "</s>"]:
        raise TextError(
            f"{settings.label}: its model's first pieces are {' and '.join(map(shown, begin))}; they must be <pad> and "
            "</s>, behind which the tokens of pretraining come"
        )
    between = (Piece(text, kind=PieceKind.CONTROL) for text in reserved(settings.integer("offset")))
    return [*pieces[:2], *between, *pieces[2:]]


def build(folder: Folder, settings: Settings) -> Tokenizer:
    """The tokenizer of the model file."""
    tokenizer = _OF_PIECES.build(folder, settings)
    keep_line_breaks(tokenizer, settings)
    return tokenizer


def keep_line_breaks(tokenizer: Tokenizer, settings: Settings) -> None:
    """Read and write line breaks, where ``line_breaks`` says so; raises `TextError` where no piece stands for one."""
    if not settings.flag("line_breaks"):
        return
    if tokenizer.token_to_id(LINE_BREAK) is None:
        raise TextError(f"{settings.label}: line_breaks is true, but the vocabulary lacks {LINE_BREAK}; leave it out")
    normalizer, decoder = tokenizer.normalizer or normalizers.Sequence([]), tokenizer.decoder or decoders.Fuse()
    if LINE_BREAK in normalizer.normalize_str("\n"):  # a folder that was saved so
        return
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("\n", LINE_BREAK), normalizer])
    tokenizer.decoder = decoders.Sequence([decoder, decoders.Replace(LINE_BREAK, "\n")])


_OF_PIECES = sentencepiece_recipe(
    TextFacts(
        tokenizer_class="PegasusTokenizer",
        special_tokens={"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": MASKS[1]},
    ),
    single="$A eos_token",
    pair="$A $B eos_token",
    options={"offset": 103, "mask_token_sent": MASKS[0], "line_breaks": False},
    complete=naming_reserved,
    arrange=behind_the_reserved,
)

RECIPE = replace(_OF_PIECES, build=build, adapt=keep_line_breaks)
