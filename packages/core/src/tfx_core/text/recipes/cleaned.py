"""SentencePiece behind a cleaning of the text: ``prepro_utils.py`` of zihangdai/xlnet, which ALBERT took over."""

import sys
import unicodedata
from collections.abc import Iterator

from tokenizers import Regex, normalizers

from tfx_core.text.recipe import Recipe, Settings, TextFacts
from tfx_core.text.recipes.charsmap import character_class
from tfx_core.text.recipes.sentencepiece import sentencepiece_recipe


def cleaned_sentencepiece_recipe(facts: TextFacts, *, single: str, pair: str, lower_case: bool) -> Recipe:
    """The recipe of a ``spiece.model`` with the options ``do_lower_case``, ``remove_space`` and ``keep_accents``.

    ``lower_case`` is the first one's default; templates are those of `sentencepiece_recipe`. No piece ends in a digit
    and a comma. Words that are added are found as they are written, also where all is lower-cased.
    """
    return sentencepiece_recipe(
        facts,
        single=single,
        pair=pair,
        options={"do_lower_case": lower_case, "remove_space": True, "keep_accents": False},
        clean=_clean,
        avoid=_ends_in_digit_and_comma,
    )


def _clean(settings: Settings) -> list[normalizers.Normalizer]:
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
        steps.append(normalizers.Lowercase())
    return steps


def _ends_in_digit_and_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _characters() -> Iterator[str]:
    return (chr(code) for code in range(sys.maxunicode + 1))
