"""What a corpus is made of, before it is tokenized."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A text; of a translation one side, of a question and its answer one of both."""

    text: str

    sentence_ends: Sequence[int] = ()
    """Where sentences end, as places in the text, ascending; its end need not be among them."""

    group: str = ""
    """The language of the text, or its control code."""


@dataclass(frozen=True, slots=True)
class Document:
    """Texts that belong together: one, or the two sides of a pair."""

    parts: tuple[Part, ...]

    @staticmethod
    def of(text: str, *more: str) -> "Document":
        """A document of texts without sentences or languages."""
        return Document(tuple(map(Part, (text, *more))))
