"""Long texts in stretches that fit, at the ends of sentences where there are any."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from tfx_core.errors import InputError

_SENTENCE_END = re.compile(r"""[.!?…।॥؟۔։።။។៕]+["'”’»)\]]*\s+ | [。！？｡]+[」』”’)）]*\s* | \s*\n\s*""", re.VERBOSE)
"""Full stops of Latin and Cyrillic, Devanagari, Arabic, Armenian, Ethiopic, Burmese, Khmer; of Chinese and Japanese."""
_WORD_END = re.compile(r"\s+")
_WITHOUT_BLANKS = re.compile(
    "[\u2e80-\u30ff\u31c0-\u4dbf\u4e00-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff9f\U00020000-\U0003ffff]"
)
"""Ideographs, kana, and the punctuation between them; Hangul is not among them, for Korean has blanks."""
_LANGUAGES_WITHOUT_BLANKS = frozenset({"zh", "zho", "cmn", "yue", "wuu", "nan", "lzh", "ja", "jpn"})
"""By the first part of their names; Thai, Lao and Khmer have blanks between sentences, if not between words."""


def split(text: str, fits: Callable[[str], bool]) -> list[str]:
    """``text`` in stretches for which ``fits`` is true, each of as many whole sentences as do.

    A sentence that does not fit alone is split between words, a word that does not fit between characters. Nothing is
    lost: the stretches together are the text, but for stretches that are blank. Raises `InputError` where not even one
    character fits.
    """
    return [part for part in _packed(text, (_SENTENCE_END, _WORD_END), fits) if part.strip()]


def joined(parts: Sequence[str], language: str | None = None) -> str:
    """Texts one after the other: a blank between them, but none in or beside Chinese or Japanese, which write none."""
    if language is not None and re.split("[-_]", language)[0] in _LANGUAGES_WITHOUT_BLANKS:
        return "".join(map(str.strip, parts))
    text = ""
    for part in filter(None, map(str.strip, parts)):
        blank = "" if not text or _WITHOUT_BLANKS.match(text[-1]) or _WITHOUT_BLANKS.match(part) else " "
        text += blank + part
    return text


def places(parts: Iterable[str], text: str) -> Iterator[int]:
    """Where each of some stretches of a text, without the blanks around them, begins in it."""
    behind = 0
    for part in parts:
        begin = text.index(part, behind)
        yield begin
        behind = begin + len(part)


def _packed(text: str, levels: Sequence[re.Pattern[str]], fits: Callable[[str], bool]) -> Iterator[str]:
    pieces = _pieces(text, levels[0]) if levels else list(text)
    start, guess = 0, len(pieces)
    while start < len(pieces):
        count = _most(pieces, start, guess, fits)
        if count:
            yield "".join(pieces[start : start + count])
            guess = count
        elif levels:
            yield from _packed(pieces[start], levels[1:], fits)
        else:
            raise InputError(f"the character {pieces[start]!r} alone is longer than an input may be")
        start += max(1, count)


def _most(pieces: Sequence[str], start: int, guess: int, fits: Callable[[str], bool]) -> int:
    """How many pieces from ``start`` on fit together, looked for around a guess; 0 if not even one does."""
    left = len(pieces) - start

    def fit(count: int) -> bool:
        return fits("".join(pieces[start : start + count]))

    low, high = 0, min(max(1, guess), left)
    while high < left and fit(high):
        low, high = high, min(2 * high, left)
    if fit(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fit(middle) else (low, middle)
    return low


def _pieces(text: str, end: re.Pattern[str]) -> list[str]:
    """``text`` cut behind every match of ``end``."""
    cuts = [0, *(match.end() for match in end.finditer(text)), len(text)]
    return [text[begin:until] for begin, until in pairwise(cuts) if begin < until]
