"""Words as in the corpus that GPT learned from: ftfy mends a text, spaCy's rules for English find its words.

``pip install 'tfx-decoders[segmenters]'`` installs both; they are asked for when a tokenizer is loaded that needs them.
The steps follow the code that was released with the paper, https://github.com/openai/finetune-transformer-lm. Words are
found before letters become small; the reference library makes them small first, and cuts *Mr.* and *a.B* otherwise.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from importlib import import_module
from typing import Any

from tokenizers import NormalizedString, Regex, normalizers, pre_tokenizers

from tfx_core.errors import TextError
from tfx_core.text.recipes import BLANKS, OUTER_BLANKS, Steps, replacements, set_apart

_RUNS = "|".join(f"(?<=[^{sign}])(?={sign})|(?<={sign})(?!{sign})" for sign in map(re.escape, '-~!";?+,)(\\/*[]}{|_'))
_ONE_FORM = (
    ("[—–―]", "-"),
    ("…", "..."),
    ("´", "'"),
    (_RUNS, " "),
    (rf"(?<!{BLANKS}){BLANKS}*\n{BLANKS}*", " \n "),
    (rf"[{BLANKS}&&[^\n]]+", " "),
    OUTER_BLANKS,
)
"""One form of dashes and dots, runs of a mark apart, the end of a line as a word."""


def cleaning(label: str) -> Steps:
    """Small words with blanks between them; raises `TextError` that names the packages where they are not there."""
    try:
        _mending(), _starts()
    except ImportError as error:
        raise TextError(
            f"{label}: corpus_words is true, but ftfy and spaCy, which find the words, cannot be imported ({error}): "
            "pip install 'tfx-decoders[segmenters]'"
        ) from error
    return [Mending(), *replacements(_ONE_FORM), Cutting(), normalizers.Lowercase()]


def words() -> Steps:
    """What stands between blanks; the end of a line is none."""
    return [pre_tokenizers.Split(" ", "removed")]


class Mending:
    """A step that undoes what encodings, editors and web pages did to a text."""

    def normalize(self, text: NormalizedString) -> None:
        """Exchange the characters that ftfy changes, the last first, so that the places of the others hold."""
        written = text.normalized
        for place, old, new in reversed([*_changes(written, _mending()(written))]):
            if place == 0 and not old:  # the library puts nothing before a text
                old, new = written[0], new + written[0]
            text.replace(Regex(rf"\A{_signs(place)}\K{_signs(len(old))}"), new)


class Cutting:
    """A step that puts a blank before every word."""

    def normalize(self, text: NormalizedString) -> None:
        """Put blanks where spaCy finds that words begin."""
        set_apart(text, _starts())


def _changes(old: str, new: str) -> Iterator[tuple[int, str, str]]:
    """Where two texts differ: the place, what was there and what is; looked for in the words that differ."""
    words = [re.findall(r"\S+|\s+", text) for text in (old, new)]
    place = 0
    for same, before, after in _stretches(*words):
        for alike, gone, come in () if same else _stretches(before, after):
            if not alike:
                yield place, gone, come
            place += len(gone)
        place += len(before) if same else 0


def _stretches(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[bool, str, str]]:
    """What two sequences have in common and what not, one after the other."""
    for kind, begin, end, first, last in SequenceMatcher(None, old, new).get_opcodes():
        yield kind == "equal", "".join(old[begin:end]), "".join(new[first:last])


def _signs(count: int) -> str:
    """A pattern for so many characters; in thousands, since one number has a bound."""
    return rf"(?m:(?:.{{1000}}){{{count // 1000}}}.{{{count % 1000}}})"


@cache
def _mending() -> Callable[[str], str]:
    mend: Callable[[str], str] = import_module("ftfy").fix_text
    return mend


@cache
def _starts() -> Callable[[str], Iterable[int]]:
    tokenizer: Any = import_module("spacy.lang.en").English().tokenizer
    return lambda text: (token.idx for token in tokenizer(text))
