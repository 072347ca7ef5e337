"""Rows as most objectives cut them out of a corpus; each is read when it is asked for."""

from collections.abc import Sequence
from typing import overload

import numpy as np

from tfx_core.errors import InputError
from tfx_training.corpus import TokenCorpus, Tokens


class Blocks(Sequence[Tokens]):
    """All documents after one another, with ``between`` at the end of each, cut into rows of ``length`` tokens.

    What is left at the end is no row. Raises `InputError` where there is none at all.
    """

    def __init__(self, corpus: TokenCorpus, length: int, between: Sequence[int] = (), *, begin: int = 0) -> None:
        self._corpus = corpus
        self._length = length
        self._between = Tokens.of(between)
        ends = corpus.sentence_ends[corpus.document_ends - 1]
        # of each document, the place after what follows it, counting what stands between
        self._ends = ends + len(between) * np.arange(1, len(ends) + 1)
        self._begin = begin
        total = int(self._ends[-1]) - begin
        if total < length:
            raise InputError(f"length={length}: the corpus has {total} tokens, not enough for one row")
        self._count = total // length

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, number: int) -> Tokens: ...
    @overload
    def __getitem__(self, number: slice) -> list[Tokens]: ...
    def __getitem__(self, number: int | slice) -> Tokens | list[Tokens]:
        """The tokens ``(length,)`` of a row."""
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        begin = self._begin + number % len(self) * self._length
        document = int(np.searchsorted(self._ends, begin, side="right"))
        tokens = Tokens.of(())
        offset = begin - (int(self._ends[document - 1]) if document else 0)
        while len(tokens.ids) < self._length:
            tokens += (self._corpus.document(document) + self._between).between(offset, None)
            document, offset = document + 1, 0
        return tokens.between(0, self._length)
