"""Passages and the index that finds them by vector: the interface that search, DPR and RAG meet.

An index holds one float32 vector for each passage, in the order in which they were given; the position in that order
is the passage's *row*. Every score is an inner product, which for vectors of length one is the cosine.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
RowNumbers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that a search can return."""

    text: str

    topic: str = ""
    """What the passage is about: a title, the path of headings above it, a file's name."""

    id: str = ""
    """The name that the passage has where it comes from; not necessarily unique."""


PassageBatch: TypeAlias = tuple[Sequence[Passage], Vectors]
"""Passages and their vectors, (len(passages), D) float32."""


@runtime_checkable
class PassageIndex(Protocol):
    """Passages that can be found by vector; safe to search from several threads at once."""

    @property
    def dimension(self) -> int:
        """Length D of every vector."""
        ...

    def __len__(self) -> int: ...

    def search_vectors(self, queries: Vectors, k: int) -> tuple[Vectors, RowNumbers]:
        """Find the rows with the highest inner product, the best first, rows of equal score in ascending order.

        ``queries`` is (Q, D) float32; the answer is scores and rows, each (Q, min(k, len(self))). An approximate index
        that finds fewer fills up with score -inf and row -1.
        """
        ...

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows; a row outside 0 … len(self) - 1 is an `InputError`."""
        ...

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return the vectors of these rows, (len(rows), D), as they were added unless the index compresses them."""
        ...


class PassageIndexKind(Protocol):
    """How one kind of index is kept in a folder; what the target of an `IndexSpec` follows."""

    def write(
        self, folder: Path, batches: Iterable[PassageBatch], *, dimension: int, options: Mapping[str, str]
    ) -> None:
        """Write an index into an empty folder, reading ``batches`` once and, where possible, never holding all of them.

        The caller writes ``manifest.json`` afterwards, records size and checksum of every file left in the folder, and
        moves the folder into place as a whole. An option that the kind does not have is an `InputError`.
        """
        ...

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> PassageIndex:
        """Open what `write` left: the caller has checked every file against its recorded size and checksum.

        All files are open, or read, when it returns: the folder may be replaced from then on. It is called again when
        that happened before.
        """
        ...
