"""T5's tokenizer: a SentencePiece model with sentinels behind its pieces."""

from collections.abc import Sequence

from tfx_core.errors import TextError
from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Piece, PieceKind, sentencepiece_recipe


def sentinel(number: int) -> str:
    """The mark for the place of a missing span."""
    return f"<extra_id_{number}>"


def with_sentinels(pieces: Sequence[Piece], settings: Settings) -> Sequence[Piece]:
    """The vocabulary: the sentinels behind the pieces, the first with the highest id.

    Raises `TextError` where ``extra_ids`` is not the number of sentinels among the special tokens.
    """
    count = settings.integer("extra_ids")
    named = [token.content for token in settings.additional_special_tokens if token.content.startswith("<extra_id_")]
    if len(named) != count or set(named) != set(map(sentinel, range(count))):
        raise TextError(
            f"{settings.label}: extra_ids is {count}, but additional_special_tokens has {len(named)} tokens "
            f"<extra_id_…>; it must have <extra_id_0> to <extra_id_{count - 1}>"
        )
    return [*pieces, *(Piece(sentinel(number), kind=PieceKind.CONTROL) for number in reversed(range(count)))]


RECIPE = sentencepiece_recipe(
    TextFacts(
        tokenizer_class="T5Tokenizer",
        special_tokens={"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
        additional_special_tokens=tuple(sentinel(number) for number in range(100)),
    ),
    single="$A eos_token",
    pair="$A eos_token $B eos_token",
    options={"extra_ids": 100, "legacy": True},
    arrange=with_sentinels,
)
