"""XLNet's tokenizer: a SentencePiece model behind a cleaning of the text; ``prepro_utils.py`` of zihangdai/xlnet."""

import sys
import unicodedata
from collections.abc import Iterator

from tokenizers import AddedToken, Regex, normalizers

from tfx_core.text import Settings, TextFacts
from tfx_core.text.recipes import character_class, sentencepiece_recipe

_FINAL_SIGMA = r"\p{Cased}\p{Case_Ignorable}*\KΣ(?!\p{Case_Ignorable}*\p{Cased})"


def clean(settings: Settings) -> list[normalizers.Normalizer]:
    """What happens to a text first: to blanks, quotation marks, accents and case, as the settings say.

    An accent is what has a combining class; the library's own `normalizers.StripAccents` takes away all marks, and
    with them vowels of Indian and Thai scripts.
    """
    replace = normalizers.Replace
    steps: list[normalizers.Normalizer] = []
    if settings.flag("remove_space"):
        blanks = character_class(filter(str.isspace, _characters()))
        steps += [replace(Regex(f"{blanks}+"), " "), replace(Regex(r"\A +| +\z"), "")]
    steps += [replace("``", '"'), replace("''", '"')]
    if not settings.flag("keep_accents"):
        accents = character_class(filter(unicodedata.combining, _characters()))
        steps += [normalizers.NFKD(), replace(Regex(accents), "")]
    if settings.flag("do_lower_case"):
        steps += [replace(Regex(_FINAL_SIGMA), "ς"), normalizers.Lowercase()]
    return steps


def ends_in_digit_and_comma(piece: str) -> bool:
    """Whether a piece is cut before its comma."""
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _characters() -> Iterator[str]:
    return (chr(code) for code in range(sys.maxunicode + 1))


RECIPE = sentencepiece_recipe(
    TextFacts(
        tokenizer_class="XLNetTokenizer",
        special_tokens={
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "sep_token": "<sep>",
            "pad_token": "<pad>",
            "cls_token": "<cls>",
            "mask_token": AddedToken("<mask>", lstrip=True, special=True, normalized=False),
        },
        additional_special_tokens=("<eop>", "<eod>"),
        model_input_names=("input_ids", "token_type_ids", "attention_mask"),
        padding_side="left",
        pad_token_type_id=3,
        question_first=False,
    ),
    single="$A sep_token cls_token:2",
    pair="$A sep_token $B:1 sep_token:1 cls_token:2",
    options={"do_lower_case": False, "remove_space": True, "keep_accents": False},
    clean=clean,
    avoid=ends_in_digit_and_comma,
)
