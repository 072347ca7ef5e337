"""Search results as a table for people, as tab-separated lines and as JSON Lines for programs."""

import unicodedata
from collections.abc import Iterator, Sequence

from tfx_core.cli import json_text
from tfx_retrieval.search import Hit

_NARROWEST_PASSAGE = 24
_WIDEST_TOPIC = 32


def as_table(question: str, hits: Sequence[Hit], *, width: int, lines: int) -> Iterator[str]:
    """Give a table headed by the question: rank, score, topic and at most ``lines`` lines of the passage (0: all)."""
    yield one_line(question)
    topics = [_shortened(one_line(hit.passage.topic), _WIDEST_TOPIC) for hit in hits]
    topic_width = max([len("topic"), *map(display_width, topics)])
    indent = len("rank  score   ") + topic_width + 2
    yield "rank  score   " + _padded("topic", topic_width) + "  passage"
    for hit, topic in zip(hits, topics, strict=True):
        text = wrapped(one_line(hit.passage.text), max(width - indent, _NARROWEST_PASSAGE), lines)
        yield f"{hit.rank:4d}  {hit.score:6.3f}  {_padded(topic, topic_width)}  {text[0]}"
        for more in text[1:]:
            yield " " * indent + more


def as_tabs(question: str, hits: Sequence[Hit]) -> Iterator[str]:
    """Give one line a hit: question, rank, score, topic, passage."""
    for hit in hits:
        fields = (question, str(hit.rank), f"{hit.score:.6f}", hit.passage.topic, hit.passage.text)
        yield "\t".join(map(one_line, fields))


def as_json(question: str, hits: Sequence[Hit]) -> str:
    """Give one JSON object: ``{"question": …, "hits": [{"rank", "score", "topic", "id", "passage"}, …]}``."""
    found = [
        {
            "rank": hit.rank,
            "score": round(hit.score, 6),
            "topic": hit.passage.topic,
            "id": hit.passage.id,
            "passage": hit.passage.text,
        }
        for hit in hits
    ]
    return json_text({"question": question, "hits": found})


def one_line(text: str) -> str:
    """Put white space together and make control characters visible: a passage must not steer the terminal."""
    return "".join("\ufffd" if unicodedata.category(sign) == "Cc" else sign for sign in " ".join(text.split()))


def display_width(text: str) -> int:
    """Count the columns that a text takes on a terminal: two for a wide sign, none for one that combines."""
    return sum(0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def wrapped(text: str, width: int, lines: int) -> list[str]:
    """Break a text into lines of at most ``width`` columns, the last of ``lines`` ending in … where there is more.

    A line ends at a space where one is in reach, else between any two signs, as scripts without spaces do.
    """
    broken: list[str] = []
    start = 0
    while start < len(text):
        if _fitting(text, start, width) < len(text) and len(broken) + 1 == lines:
            return [*broken, text[start : _line_end(text, start, width - 1)].rstrip() + "…"]
        end = max(_line_end(text, start, width), start + 1)
        broken.append(text[start:end].rstrip())
        start = end + (text[end : end + 1] == " ")
    return broken or [""]


def _line_end(text: str, start: int, width: int) -> int:
    """Give the end of a line: where all of the rest fits, at the last space that is in reach, or at the width."""
    end = _fitting(text, start, width)
    space = text.rfind(" ", start, end + 1) if end < len(text) else -1
    return space if space > start else end


def _fitting(text: str, start: int, width: int) -> int:
    """Give the end of the longest slice from ``start`` that fits."""
    used = 0
    for at in range(start, len(text)):
        used += display_width(text[at])
        if used > width:
            return at
    return len(text)


def _shortened(text: str, width: int) -> str:
    if _fitting(text, 0, width) == len(text):
        return text
    return text[: _fitting(text, 0, width - 1)].rstrip(" …") + "…"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))
