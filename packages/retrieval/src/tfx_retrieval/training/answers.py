"""Whether a passage has the answer: by its words, as open-domain question answering is measured."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from tfx_core.errors import InputError, shown

AnswerMatch: TypeAlias = Literal["words", "regex"]

_WITHOUT_BLANKS = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY IDEOGRAPH",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)
"""How the names of characters begin in whose scripts no blanks stand between words."""


def words(text: str) -> list[str]:
    """The words of a text, in lower case and decomposed (NFD), for comparison.

    A word is a run of letters, digits and marks, or any other character but separators and controls: the rule of DrQA's
    simple tokenizer (Chen et al. 2017, §3.1, "Reading Wikipedia to Answer Open-Domain Questions"). Of scripts that have
    no blanks between words each letter, with its marks, is one: by runs, no answer would be found in them.
    """
    found: list[str] = []
    before = "blank"
    for sign in unicodedata.normalize("NFD", text):
        kind = _kind(sign)
        if kind == "mark" and before != "blank":  # belongs to what is before it
            found[-1] += sign
            continue
        if kind == before == "word":
            found[-1] += sign
        elif kind != "blank":
            found.append(sign)
        before = "word" if kind == "mark" else kind  # a mark alone begins a word
    return [word.lower() for word in found]


def has_answer(answers: Sequence[str], text: str, *, match: AnswerMatch = "words") -> bool:
    """Whether one of the answers stands in the text: as a run of its `words`, or as a regular expression.

    Case and the way in which accents are composed do not count; accents do. An answer without words is nowhere. A
    regular expression is searched for in the decomposed text, without regard to case; one that is none is an
    `InputError`.
    """
    check_answers(answers)
    if match == "regex":
        decomposed = unicodedata.normalize("NFD", text)
        return any(answer and _pattern(answer).search(decomposed) for answer in answers)
    if match != "words":
        raise InputError(f"match={match!r}: must be 'words' or 'regex'")
    held = words(text)
    return any(_holds(held, words(answer)) for answer in answers)


def check_answers(answers: Any) -> None:
    """Raise `InputError` for anything but a list of texts; one text would be a list of letters."""
    listed = isinstance(answers, Sequence) and not isinstance(answers, str)
    if not listed or not all(isinstance(answer, str) for answer in answers):
        raise InputError(f"answers={shown(answers)}: must be a list of texts")


def _holds(held: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether ``wanted``, some words, stand in ``held`` one after the other."""
    size = len(wanted)
    return size > 0 and any(held[start : start + size] == wanted for start in range(len(held) - size + 1))


@lru_cache(maxsize=1 << 16)
def _kind(sign: str) -> str:
    category = unicodedata.category(sign)[0]
    if category == "L" and unicodedata.name(sign, "").startswith(_WITHOUT_BLANKS):
        return "letter"
    return {"L": "word", "N": "word", "M": "mark", "Z": "blank", "C": "blank"}.get(category, "sign")


@lru_cache(maxsize=4096)
def _pattern(answer: str) -> re.Pattern[str]:
    try:
        return re.compile(unicodedata.normalize("NFD", answer), re.IGNORECASE | re.MULTILINE)
    except re.error as error:
        raise InputError(f"answer {shown(answer)} is no regular expression: {error}") from None
