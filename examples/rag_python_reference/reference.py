"""Passages of the Python language reference, and questions whose answer is the topic of one.

A question is a sentence that was taken out of its passage, so that it stands in none: the inverse cloze task (Lee et
al. 2019). What topics repeat of one another belongs to the shortest.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pydoc_data.topics import topics
from zlib import crc32

from tfx_retrieval import Collection, Passage

ASKED, HELD_OUT = 2, 3
"""One sentence of so many is a question, and one question of so many is held out."""

WORDS = 80
"""Most words of a passage."""

_WORDS, _CHARACTERS = range(8, 25), 120


@dataclass(frozen=True)
class Question:
    """A sentence, the topic it is of, and the passage that it was taken from."""

    question: str
    answer: str
    source: str


def passages_and_questions() -> tuple[list[Passage], list[Question], list[Question]]:
    """The passages, the questions to learn from and those held out; the same on every machine."""
    owner = {sentence: topic for topic in sorted(topics, key=_size, reverse=True) for sentence in _of(topics[topic])}
    kept, every = list[tuple[Passage, list[str]]](), dict[str, Question]()
    for passage in Collection(["pydoc:topics"], words=WORDS):
        sentences = list(_of(passage.text))
        own = [sentence for sentence in sentences if owner.get(sentence) in (None, passage.topic)]
        if 2 * len(own) > len(sentences):
            kept.append((passage, sentences))
            asked = filter(_is_question, own if len(sentences) > 2 else ())
            every |= {sentence: Question(sentence, passage.topic, passage.id) for sentence in asked}
    rests = [
        (passage, [one for one in sentences if not any(each in one for each in every)]) for passage, sentences in kept
    ]
    passages = [Passage(" ".join(rest), passage.topic, passage.id) for passage, rest in rests if rest]
    sources = {passage.id for passage in passages}
    every = {text: each for text, each in every.items() if each.source in sources}
    chosen = [*every.values()]
    return passages, [each for each in chosen if not _is_held_out(each)], [*filter(_is_held_out, chosen)]


def _size(topic: str) -> tuple[int, str]:
    return len(topics[topic]), topic


def _of(text: str) -> Iterable[str]:
    """The sentences of a text."""
    for paragraph in re.split(r"\n\s*\n", text):
        yield from _sentences(" ".join(paragraph.split()))


def _sentences(paragraph: str) -> Iterator[str]:
    yield from filter(None, re.split(r"(?<=[.!?])\s+", paragraph))


def _is_question(sentence: str) -> bool:
    whole = len(sentence.split()) in _WORDS and len(sentence) <= _CHARACTERS and sentence.endswith((".", "?", "!"))
    return whole and sentence[0].isupper() and crc32(sentence.encode()) % ASKED == 0


def _is_held_out(question: Question) -> bool:
    return crc32(f"held out? {question.question}".encode()) % HELD_OUT == 0
