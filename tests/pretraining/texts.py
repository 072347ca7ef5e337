"""Texts that tiny models learn from: of letters alone, which every small vocabulary has."""

import random

from tfx_training import Document, Part

_random = random.Random(0)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def _counted(length: int) -> str:
    begin = _random.randrange(26)
    return " ".join(_ALPHABET[(begin + place) % 26] for place in range(length))


COUNTED = tuple(_counted(_random.randint(20, 60)) for _ in range(40))
"""Each word is the letter after the one before it."""


def _document(sentences: int) -> Document:
    texts = [_counted(_random.randint(4, 9)) + "." for _ in range(sentences)]
    ends = [sum(len(text) + 1 for text in texts[: place + 1]) - 1 for place in range(sentences)]
    return Document((Part(" ".join(texts), ends, "en_XX"),))


SENTENCES = tuple(_document(_random.randint(2, 5)) for _ in range(60))
"""Sentences of letters that follow one another, in a language."""
REPEATED = tuple(" ".join(_random.choice(_ALPHABET) * _random.randint(20, 60)) for _ in range(60))
"""Each word is the letter before it."""


TWOFOLD = tuple(" ".join([_random.choice("abc")] * 8 + [_random.choice("xyz")] * 8) for _ in range(60))
"""Eight times one of the first letters, then eight times one of the last."""


def paged(text: str, size: int = 8) -> Document:
    """A document with sentences of that many words."""
    words = text.split()
    ends = [len(" ".join(words[:end])) for end in range(size, len(words) + 1, size)]
    return Document((Part(text, ends),))
