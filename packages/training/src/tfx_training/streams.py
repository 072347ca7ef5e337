"""A corpus as one text, and batches that read several stretches of it side by side."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Flags, Places


class Joined:
    """Pieces of a corpus after one another, with some tokens ``behind`` each of them, or those that are ``followed``.

    They reach from ``begins`` to before ``ends`` in the corpus, ``(n,)``; its own places count what is behind them.
    """

    def __init__(
        self,
        corpus: TokenCorpus,
        begins: Places,
        ends: Places,
        behind: Sequence[int] = (),
        followed: Flags | None = None,
    ) -> None:
        self._corpus = corpus
        self._behind = Tokens.of(behind)
        self._begins = begins
        sizes = ends - begins
        after = np.cumsum(sizes + len(behind) * (np.ones_like(sizes) if followed is None else followed))
        self._length = int(after[-1]) if len(after) else 0
        self.piece_begins: Places = np.append(np.zeros(1, dtype=np.int64), after)[:-1]
        """``(n,)``, for each piece the place of its first token."""
        self.piece_ends: Places = self.piece_begins + sizes
        """``(n,)``, for each piece the place after its last token."""

    def __len__(self) -> int:
        return self._length

    def between(self, begin: int, end: int) -> Tokens:
        """The tokens from one place to before another."""
        found = [Tokens.of(())]
        first = max(0, int(np.searchsorted(self.piece_begins, begin, side="right")) - 1)
        for number in range(first, int(np.searchsorted(self.piece_begins, end))):
            starts, stops = int(self.piece_begins[number]), int(self.piece_ends[number])
            moved = int(self._begins[number]) - starts
            if begin < stops:
                found.append(self._corpus.between(max(begin, starts) + moved, min(end, stops) + moved))
            if end > stops and self._next_begin(number) > stops:
                found.append(self._behind.between(max(0, begin - stops), end - stops))
        return Tokens.joined(found)

    def _next_begin(self, number: int) -> int:
        """Where the piece after this one begins, or the end."""
        return int(self.piece_begins[number + 1]) if number + 1 < len(self.piece_begins) else self._length


class Stream(Joined):
    """Documents of a corpus after one another, with ``between`` at the end of each: all, or those of some numbers."""

    def __init__(self, corpus: TokenCorpus, between: Sequence[int] = (), documents: Places | None = None) -> None:
        chosen = np.arange(len(corpus)) if documents is None else documents
        ends = corpus.sentence_ends[corpus.document_ends - 1]
        begins = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
        super().__init__(corpus, begins[chosen], ends[chosen], between)
        self.document_ends: Places = self.piece_ends + len(between)
        """For each document the place after what follows it."""

    @cached_property
    def sentence_ends(self) -> Places:
        """The places after the last token of each sentence, ascending; what follows a document is of its last one.

        Source: zihangdai/xlnet, ``data_utils.py``, ``_create_data``, where ``<eod>`` is of the sentence before it.
        """
        sentences = np.arange(len(self._corpus.sentence_ends))
        before = np.searchsorted(self._corpus.document_ends, sentences, side="right")
        ends: Places = self._corpus.sentence_ends + before * len(self._behind.ids)
        ends[self._corpus.document_ends - 1] = self.document_ends
        return ends


def side_by_side(rows: int, batch_size: int) -> NDArray[np.int64]:
    """Numbers of rows ``(batches, batch_size)``: each column is a stretch of rows, one after another.

    What is left at the end, less than a batch, is in none. Raises `InputError` where there is none at all.
    """
    batches = rows // batch_size
    if not batches:
        raise InputError(f"batch_size={batch_size}: the corpus gives {rows} rows, not enough for one batch")
    return np.arange(batches)[:, None] + np.arange(batch_size) * batches
