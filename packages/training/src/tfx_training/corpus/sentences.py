"""Where sentences end, by a rule, or by the library sentencex where it is asked for.

The rule: a sentence ends behind ``. ! ? …``, and what closes brackets and quotation marks there, where a blank follows
and then no small letter; not behind an abbreviation, an initial or a number at the beginning of a sentence; behind
``。！？`` and the like, of scripts without blanks, wherever they stand; and at a blank line. It knows English
abbreviations; `sentencex <https://pypi.org/project/sentencex>`_ (the extra ``sentences``) those of some 300 languages.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tfx_core.errors import InputError

SentenceEnds: TypeAlias = Callable[[str], Sequence[int]]
"""The places in a text where sentences end, ascending, each before the blanks that follow."""

_END = re.compile(
    r"[.!?\u2026\u203c\u2047-\u2049\u061f\u06d4\u0964\u0965]+[\"'\u2019\u201d\u00bb)\]]*(?=\s+[^\sa-z])"
    r"|[\u3002\uff01\uff1f\uff61]+[\"'\u2019\u201d\u300d\u300f\uff09\uff02)]*"
    r"|(?<=\S)(?=[^\S\n]*\n[^\S\n]*\n)"
)

_ABBREVIATIONS = frozenset(
    (
        *("mr", "mrs", "ms", "dr", "prof", "rev", "hon", "gen", "col", "capt", "lt", "sgt", "gov", "sen", "rep", "st"),
        *("jr", "sr", "mt", "ft", "vs", "etc", "cf", "al", "fig", "figs", "eq", "eqs", "sec", "no", "nos", "vol", "p"),
        *(
            "pp",
            "ed",
            "eds",
            "inc",
            "ltd",
            "co",
            "corp",
            "dept",
            "univ",
            "approx",
            "est",
            "jan",
            "feb",
            "mar",
            "apr",
            "jun",
        ),
        *("jul", "aug", "sep", "sept", "oct", "nov", "dec", "e.g", "i.e", "u.s"),
    )
)

_LAST_WORD = re.compile(r"[^\s(\[\"'\u201c\u2018]*\Z")
_REACH = 12
"""Characters before a point in which an abbreviation is looked for."""


def by_rule(text: str) -> list[int]:
    """The ends of sentences by the rule of this module."""
    return sorted({match.end() for match in _END.finditer(text) if not _abbreviates(text, match)})


def by_line(text: str) -> list[int]:
    """The ends of lines that are not blank."""
    return [match.end() for match in re.finditer(r"\S(?=[^\S\n]*\n)", text)]


def nowhere(text: str) -> list[int]:
    """A text is one sentence."""
    return []


def by_sentencex(language: str) -> SentenceEnds:
    """The ends of sentences as sentencex finds them; raises `InputError` where it is not installed."""
    try:
        from sentencex import get_sentence_boundaries
    except ImportError as error:
        raise InputError(
            'sentences="sentencex" needs the library of this name: pip install "tfx-training[sentences]"'
        ) from error

    def ends(text: str) -> list[int]:
        found = (int(each["end_index"]) for each in get_sentence_boundaries(language or "en", text))
        return sorted({len(text[:end].rstrip()) for end in found} - {0})

    return ends


def sentence_ends(how: str, language: str = "") -> SentenceEnds:
    """The function of a name: ``"rule"``, ``"lines"``, ``"none"`` or ``"sentencex"``; `InputError` for another."""
    if how == "sentencex":
        return by_sentencex(language)
    known = {"rule": by_rule, "lines": by_line, "none": nowhere}
    if how not in known:
        raise InputError(f"sentences={how!r}: how sentences are told apart is one of {', '.join(known)}, sentencex")
    return known[how]


def _abbreviates(text: str, match: re.Match[str]) -> bool:
    """Whether a point belongs to the word before it: *Dr.*, *J.*, or *3.* at the beginning of a line."""
    if match[0] != ".":
        return False
    begin = max(0, match.start() - _REACH)
    found = _LAST_WORD.search(text, begin, match.start())
    assert found is not None
    word = found[0]
    first = found.start() == 0 or text[found.start() - 1] == "\n"
    return word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isupper()) or (word.isdecimal() and first)
