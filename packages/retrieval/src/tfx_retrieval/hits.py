"""What a search by text gives, and the interface of everything that searches so."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tfx_core.embedding import Passage, Where


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found."""

    rank: int
    """1 for the best."""

    score: float
    """What the search orders by; for vectors the inner product, their cosine where the model normalises."""

    row: int
    passage: Passage


class PassageSearch(Protocol):
    """Anything that finds passages for questions: by vectors, by words, by several searches together."""

    def search(self, questions: Sequence[str], k: int = 5, *, where: Where | None = None) -> list[list[Hit]]:
        """Find the ``k`` best passages for each question, the best first; fewer where there are not as many."""
        ...
