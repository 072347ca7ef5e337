"""Rows as most objectives cut them out of a corpus; each is read when it is asked for."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

import numpy as np

from tfx_core.errors import InputError
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Places
from tfx_training.streams import Stream

Row = TypeVar("Row")


class Rows(Sequence[Row]):
    """Rows by their numbers; a subclass says how many there are and reads one."""

    @abstractmethod
    def row(self, number: int) -> Row:
        """The row of a number from 0 on, which there is."""

    @overload
    def __getitem__(self, number: int) -> Row: ...
    @overload
    def __getitem__(self, number: slice) -> list[Row]: ...
    def __getitem__(self, number: int | slice) -> Row | list[Row]:
        """A row, or several; negative numbers count from the end."""
        if isinstance(number, slice):
            return [self.row(each) for each in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        return self.row(int(number) % len(self))


class Picked(Rows[Row]):
    """Some rows of others, by their numbers."""

    def __init__(self, rows: Sequence[Row], numbers: Places) -> None:
        self._rows = rows
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def row(self, number: int) -> Row:
        """A row."""
        return self._rows[int(self._numbers[number])]


class Blocks(Rows[Tokens]):
    """Documents after one another, with ``between`` at the end of each, cut into rows of ``length`` tokens.

    They are those of the numbers ``documents``, by default all. The first row begins at the token ``begin``, or at any
    of its tokens that a generator draws, so that there are as many as can be. Rows have the ``ahead`` tokens after
    them, too, which are also the next row's. What is left at the end is no row. Raises `InputError` where there is none
    at all.
    """

    def __init__(
        self,
        corpus: TokenCorpus,
        length: int,
        between: Sequence[int] = (),
        *,
        begin: int | np.random.Generator = 0,
        ahead: int = 0,
        documents: Places | None = None,
    ) -> None:
        self._stream = Stream(corpus, between, documents)
        self._length = length
        self._ahead = ahead
        total, row = len(self._stream), length + ahead
        if isinstance(begin, np.random.Generator):
            begin = int(begin.integers(max(1, min(length, total - row + 1))))
        self._begin = begin
        if total - self._begin < row:
            raise InputError(f"length={length}: the corpus has {total} tokens, not enough for one row")
        self._count = (total - self._begin - ahead) // length

    def __len__(self) -> int:
        return self._count

    def row(self, number: int) -> Tokens:
        """The tokens ``(length,)`` of a row."""
        return self._stream.between(*self._range(number))

    def begins(self, number: int) -> Places:
        """The places in a row, but its first, at which documents begin."""
        begin, end = self._range(number)
        first, last = np.searchsorted(self._stream.document_ends, (begin + 1, end))
        return self._stream.document_ends[first:last] - begin

    def _range(self, number: int) -> tuple[int, int]:
        """From where to before where a row reaches."""
        begin = self._begin + number % len(self) * self._length
        return begin, begin + self._length + self._ahead
