"""Passages and the index that finds them by vector: the interface that search, DPR and RAG meet.

An index holds one float32 vector for each passage; a passage's *row* is its number, in the order in which they came.
Every score is an inner product, which for vectors of length one is the cosine.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
RowNumbers: TypeAlias = NDArray[np.int64]
Allowed: TypeAlias = NDArray[np.bool_]
"""Which rows a search may find, (N,)."""

Metadata: TypeAlias = Mapping[str, str | int | float | bool]
Where: TypeAlias = Mapping[str, Any]
"""Conditions on metadata, all of which hold of what a search finds.

A field's name -> the value that it has, a list of values of which it has one, or bounds of it by their names:
``{"language": "en", "kind": ["howto", "reference"], "year": {"at_least": 2000, "below": 2010}}`` (and ``above``,
``at_most``). A passage without the field is not found.
"""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that a search can return."""

    text: str

    topic: str = ""
    """What the passage is about: a title, the path of headings above it, a file's name."""

    id: str = ""
    """The name that the passage has where it comes from; not necessarily unique."""

    metadata: Metadata = field(default_factory=dict, hash=False)
    """What a search can be narrowed by, see `Where`."""


PassageBatch: TypeAlias = tuple[Sequence[Passage], Vectors]
"""Passages and their vectors, (len(passages), D) float32."""


@runtime_checkable
class PassageIndex(Protocol):
    """Passages that can be found by vector; safe to search from several threads at once."""

    @property
    def dimension(self) -> int:
        """Length D of every vector."""
        ...

    def __len__(self) -> int:
        """Number of passages that can be found."""
        ...

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        """Find the rows with the highest inner product, the best first, rows of equal score in ascending order.

        ``queries`` is (Q, D) float32; the answer is scores and rows, each (Q, min(k, len(self))). Where fewer are
        found, because the index is approximate or fewer fit ``where``, it fills up with score -inf and row -1. Raises
        `InputError` for a field that no passage has.
        """
        ...

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows; one that there is not, or that was deleted, is an `InputError`."""
        ...

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return the vectors of these rows, (len(rows), D), as they were added unless the index compresses them."""
        ...


@runtime_checkable
class EditableIndex(PassageIndex, Protocol):
    """One whose passages can be changed; a change is there whole or not at all."""

    def add(self, batches: Iterable[PassageBatch]) -> int:
        """Add passages after those that there are; gives their number. An id that one has is an `InputError`."""
        ...

    def delete(self, ids: Sequence[str], *, documents: bool = False) -> int:
        """Delete the passages of these ids; gives their number. An id that none has is an `InputError`.

        With ``documents`` an id stands also for the pieces of a document that was cut, ``id#1``, ``id#2``, …
        """
        ...

    def replace(self, batches: Iterable[PassageBatch], *, documents: bool = False) -> int:
        """Put passages in the places of those with their ids, which there must be; gives the number of new ones.

        With ``documents`` they replace all pieces of the documents that they are pieces of.
        """
        ...


class VectorIndex(Protocol):
    """Vectors in the files of a folder, which nothing changes; safe to search from several threads at once."""

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        """Find the rows of highest inner product among those that are ``allowed``, (N,); by default all are.

        ``queries`` is a contiguous (Q, D) float32 and ``1 <= k <= N``; the answer is as that of
        `PassageIndex.search_vectors`, (Q, k) each.
        """
        ...

    def vectors(self, rows: RowNumbers) -> Vectors:
        """Return the vectors of these rows, which there are: as they were given, unless the index compresses them."""
        ...


class VectorKind(ABC):
    """How one kind of `VectorIndex` is kept in a folder; the target of most `tfx_core.IndexSpec`.

    Passages, checksums, resumption, changes, filters and the command line come with it.
    """

    keeps_vectors: ClassVar[bool] = False
    """Whether `VectorIndex.vectors` gives every vector exactly as it was given to `write`."""

    @abstractmethod
    def write(
        self,
        folder: Path,
        vectors: Vectors,
        *,
        options: Mapping[str, str],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write the files of an index of ``vectors`` (N, D), mapped into memory and finite, into a folder.

        The same vectors and options give the same bytes. The vectors themselves are not kept unless it writes them.
        ``progress`` hears of how many more it is done, N in all. An option that the kind does not have, or a wrong
        value, is an `InputError`.
        """

    @abstractmethod
    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> VectorIndex:
        """Open what `write` left: the caller has checked every file against its recorded size and checksum.

        All files are open, or read, when it returns: the folder may be replaced from then on. What is none of these
        files is a `PassageIndexError`: it comes from elsewhere, and nothing in it is trusted.
        """

    @abstractmethod
    def check(self, options: Mapping[str, str]) -> None:
        """Raise `InputError` for options that `write` would refuse, before anything is embedded."""


class StoreKind(ABC):
    """A service that keeps passages and vectors itself: the other target of `tfx_core.IndexSpec`.

    The folder of such an index holds only what is needed to find it again: the options, and what recognises the model.
    """

    @abstractmethod
    def check(self, options: Mapping[str, str]) -> Mapping[str, str]:
        """Return the options as the folder keeps them: found again from anywhere, and without a secret in them.

        An option that the kind does not have, or a wrong value, is an `InputError`.
        """

    @abstractmethod
    def create(self, options: Mapping[str, str], *, dimension: int) -> EditableIndex:
        """Make an empty store; where there is one of this name, it is one that nobody sees before `publish`."""

    @abstractmethod
    def publish(self, index: EditableIndex) -> None:
        """Put what was filled in the place of what had its name before."""

    @abstractmethod
    def discard(self, index: EditableIndex) -> None:
        """Remove what was created and will not be published."""

    @abstractmethod
    def open(self, options: Mapping[str, str], *, dimension: int) -> EditableIndex:
        """Open the store that was published; raises `PassageIndexError` where there is none or it cannot be reached."""
