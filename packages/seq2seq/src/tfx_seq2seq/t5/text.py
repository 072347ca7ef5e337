"""T5's tokenizer: a SentencePiece model with sentinels behind its pieces."""

from collections.abc import Sequence
from dataclasses import replace

from tokenizers import AddedToken

from tfx_core.errors import TextError, shown
from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Piece, PieceKind, sentencepiece_recipe

MOST_SENTINELS = 10_000
"""Released models have 100, and up to 300."""


def sentinel(number: int) -> str:
    """The mark for the place of a missing span."""
    return f"<extra_id_{number}>"


def naming_sentinels(settings: Settings) -> Settings:
    """The settings with ``extra_ids`` sentinels among the special tokens, where these name none.

    Raises `TextError` for a number of them that no model has.
    """
    count, named = settings.integer("extra_ids"), settings.additional_special_tokens
    if not 0 <= count <= MOST_SENTINELS:
        raise TextError(f"{settings.label}: extra_ids is {shown(count)}; it must be from 0 to {MOST_SENTINELS}")
    if any(map(_is_sentinel, named)):
        return settings
    sentinels = (AddedToken(sentinel(number), special=True, normalized=False) for number in range(count))
    return replace(settings, additional_special_tokens=(*named, *sentinels))


def with_sentinels(pieces: Sequence[Piece], settings: Settings) -> Sequence[Piece]:
    """The vocabulary: the sentinels behind the pieces, the first with the highest id.

    Where ``extra_ids`` is 0, sentinels among the special tokens are added tokens like others. Raises `TextError` where
    it is any other number than theirs.
    """
    count = settings.integer("extra_ids")
    if count == 0:
        return pieces
    named = [token.content for token in settings.additional_special_tokens if _is_sentinel(token)]
    if len(named) != count or set(named) != set(map(sentinel, range(count))):
        raise TextError(
            f"{settings.label}: extra_ids is {count}, but additional_special_tokens has {len(named)} tokens "
            f"<extra_id_…>; it must have <extra_id_0> to <extra_id_{count - 1}>"
        )
    return [*pieces, *(Piece(sentinel(number), kind=PieceKind.CONTROL) for number in reversed(range(count)))]


def _is_sentinel(token: AddedToken) -> bool:
    return str(token.content).startswith("<extra_id_")


RECIPE = sentencepiece_recipe(
    TextFacts(
        tokenizer_class="T5Tokenizer",
        special_tokens={"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
    ),
    single="$A eos_token",
    pair="$A eos_token $B eos_token",
    options={"extra_ids": 100, "legacy": True},
    complete=naming_sentinels,
    arrange=with_sentinels,
)
