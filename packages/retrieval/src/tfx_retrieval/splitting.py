"""Cutting a text into passages of a bounded number of words, at paragraph, sentence and line ends.

Every passage is a verbatim slice of its text. The cut depends on nothing but the text and the bound.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

Span = tuple[int, int]
"""Start and end of a slice of the text."""

# Scripts that put no spaces between words count by the character: Thai, Lao, Burmese, Khmer, kana and Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_LINE_END = re.compile(r"\n")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]*_]*\s+|[。！？]+\s*")
_HEADING = re.compile(r"\S[^\n]*\n[ \t]*([=\-*~^\"#+])\1+\s*\Z")
_LEAD_IN_WORDS = 20


def count_words(text: str) -> int:
    """Count words as `split_passages` does: runs without white space, and single characters of unspaced scripts."""
    return sum(1 for _ in _WORD.finditer(text))


def split_passages(text: str, words: int) -> list[str]:
    """Cut a text into passages of at most ``words`` words; 0 keeps it whole.

    Whole paragraphs are put together as long as they fit; a longer one is cut at sentence ends, a longer sentence (or a
    table, or code) at line ends, a longer line between words. An underlined heading, or a short line that ends in a
    colon, goes with what follows it where that fits.
    """
    if words == 0:
        return [_slice(text, [(0, len(text))])] if text.strip() else []
    passages = []
    packed: list[Span] = []
    for unit in _units(text, words):
        if packed and _size(text, [*packed, unit]) > words:
            kept = _leading(text, packed)
            if len(kept) == len(packed) or _size(text, [*kept, unit]) > words:
                kept = []
            passages.append(_slice(text, packed[: len(packed) - len(kept)]))
            packed = kept
        packed.append(unit)
    if packed:
        passages.append(_slice(text, packed))
    return passages


def _slice(text: str, spans: list[Span]) -> str:
    """Cut from the first span's start to the last one's end, without the space around it but with the first indent."""
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", text[spans[0][0] : spans[-1][1]].rstrip())


def _size(text: str, spans: list[Span]) -> int:
    return count_words(text[spans[0][0] : spans[-1][1]])


def _leading(text: str, spans: list[Span]) -> list[Span]:
    """Give the last spans that only announce what follows: headings and short lines that end in a colon."""
    first = len(spans)
    while first > 0 and _announces(text[slice(*spans[first - 1])].strip()):
        first -= 1
    return spans[first:]


def _announces(paragraph: str) -> bool:
    if _HEADING.match(paragraph):
        return True
    return paragraph.endswith(":") and count_words(paragraph) <= _LEAD_IN_WORDS


def _units(text: str, words: int) -> Iterator[Span]:
    """Give the largest pieces that fit the bound: paragraphs, else sentences, else lines, else runs of words."""
    cuts = (_cut_after(_SENTENCE_END), _cut_after(_LINE_END), _cut_every(words))
    for paragraph in _paragraphs(text):
        yield from _fit(text, paragraph, words, cuts)


def _paragraphs(text: str) -> Iterator[Span]:
    """Give the runs of lines that are not blank."""
    start = None
    for line in _LINE.finditer(text):
        blank = line.group().isspace()
        if start is not None and blank:
            yield start, line.start()
        start = None if blank else line.start() if start is None else start
    if start is not None:
        yield start, len(text)


_Cut = Callable[[str, Span], list[Span]]


def _fit(text: str, span: Span, words: int, cuts: tuple[_Cut, ...]) -> Iterator[Span]:
    size = _size(text, [span])
    if size == 0:
        return
    if size <= words or not cuts:
        yield span
        return
    for part in cuts[0](text, span):
        yield from _fit(text, part, words, cuts[1:])


def _cut_after(boundary: re.Pattern[str]) -> _Cut:
    def cut(text: str, span: Span) -> list[Span]:
        ends = (match.end() for match in boundary.finditer(text, *span))
        return _between([span[0], *(end for end in ends if end < span[1]), span[1]])

    return cut


def _cut_every(words: int) -> _Cut:
    def cut(text: str, span: Span) -> list[Span]:
        starts = [match.start() for match in _WORD.finditer(text, *span)][::words]
        return _between([span[0], *starts[1:], span[1]])

    return cut


def _between(bounds: list[int]) -> list[Span]:
    return list(pairwise(bounds))
