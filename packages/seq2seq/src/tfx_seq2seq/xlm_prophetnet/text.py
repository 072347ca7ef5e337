"""XLM-ProphetNet's tokenizer: a SentencePiece model behind BERT's special tokens, with ``[SEP]`` behind each text."""

from collections.abc import Sequence

from tfx_core.errors import TextError, shown
from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import Piece, PieceKind, sentencepiece_recipe

FIRST = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *(f"[unused{number}]" for number in range(10)))
"""The tokens that have the first ids, in the place of the model's ``<unk>``, ``<s>`` and ``</s>``."""


def behind_the_first(pieces: Sequence[Piece], settings: Settings) -> Sequence[Piece]:
    """The vocabulary; raises `TextError` for a model that does not begin with the three."""
    begin = [piece.text for piece in pieces[:3]]
    if begin != ["<unk>", "<s>", "</s>"]:
        raise TextError(
            f"{settings.label}: its model's first pieces are {', '.join(map(shown, begin))}; they must be <unk>, <s> "
            f"and </s>, in whose place the ids of this family begin"
        )
    first = (Piece(text, kind=PieceKind.UNKNOWN if text == "[UNK]" else PieceKind.CONTROL) for text in FIRST)
    return [*first, *pieces[3:]]


RECIPE = sentencepiece_recipe(
    TextFacts(
        tokenizer_class="XLMProphetNetTokenizer",
        special_tokens={
            "bos_token": "[SEP]",
            "eos_token": "[SEP]",
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
    ),
    single="$A sep_token",
    pair="$A sep_token $B sep_token",
    model_file="prophetnet.tokenizer",
    arrange=behind_the_first,
)
