"""Search results as a table for people, as tab-separated lines and as JSON Lines for programs."""

import unicodedata
from collections.abc import Iterator, Sequence

from tfx_core.cli import display_width, json_text, padded, shortened, styled, wrapped
from tfx_retrieval.hits import Hit

HEADER = ("question", "rank", "score", "topic", "passage")
"""What `as_tabs` gives."""

_NARROWEST_PASSAGE = 16
_NARROWEST_TOPIC, _WIDEST_TOPIC = 8, 32


def as_table(question: str, hits: Sequence[Hit], *, width: int, lines: int) -> Iterator[str]:
    """Give a table headed by the question: rank, score, topic and at most ``lines`` lines of the passage (0: all)."""
    yield from (styled(line, bold=True) for line in wrapped(one_line(question), width))
    widest = min(_WIDEST_TOPIC, max(_NARROWEST_TOPIC, width // 4))
    topics = [shortened(one_line(hit.passage.topic), widest) for hit in hits]
    topic_width = max([len("topic"), *map(display_width, topics)])
    indent = len("rank  score   ") + topic_width + 2
    yield styled("rank  score   " + padded("topic", topic_width) + "  passage", dim=True)
    for hit, topic in zip(hits, topics, strict=True):
        text = wrapped(one_line(hit.passage.text), max(width - indent, _NARROWEST_PASSAGE), lines)
        yield f"{hit.rank:4d}  {hit.score:6.3f}  {padded(topic, topic_width)}  {text[0]}"
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
