"""A corpus as one text, of which batches read several stretches side by side."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Places


class Stream:
    """Documents of a corpus after one another, with ``between`` at the end of each: all, or those of some numbers."""

    def __init__(self, corpus: TokenCorpus, between: Sequence[int] = (), documents: Places | None = None) -> None:
        self._corpus = corpus
        self._between = Tokens.of(between)
        self._documents = np.arange(len(corpus)) if documents is None else documents
        ends = corpus.sentence_ends[corpus.document_ends - 1]
        self._begins = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])[self._documents]
        """Of each document its place in the corpus."""
        self.document_ends: Places = np.cumsum(ends[self._documents] - self._begins + len(between))
        """For each document the place after what follows it."""

    def __len__(self) -> int:
        return int(self.document_ends[-1]) if len(self.document_ends) else 0

    @cached_property
    def sentence_ends(self) -> Places:
        """The places after the last token of each sentence, ascending; what stands between documents is one, too."""
        sentences = np.arange(len(self._corpus.sentence_ends))
        before = np.searchsorted(self._corpus.document_ends, sentences, side="right")
        return np.union1d(self._corpus.sentence_ends + before * len(self._between.ids), self.document_ends)

    def between(self, begin: int, end: int) -> Tokens:
        """The tokens from one place to before another."""
        document = int(np.searchsorted(self.document_ends, begin, side="right"))
        found = Tokens.of(())
        while begin < end:
            stops = int(self.document_ends[document])
            text_end = stops - len(self._between.ids)
            starts = int(self.document_ends[document - 1]) if document else 0
            moved = int(self._begins[document]) - starts
            if begin < text_end:
                found += self._corpus.between(begin + moved, min(end, text_end) + moved)
            if end > text_end:
                found += self._between.between(max(0, begin - text_end), end - text_end)
            begin, document = stops, document + 1
        return found


def side_by_side(rows: int, batch_size: int) -> NDArray[np.int64]:
    """Numbers of rows ``(batches, batch_size)``: each column is a stretch of rows, one after another.

    What is left at the end, less than a batch, is in none. Raises `InputError` where there is none at all.
    """
    batches = rows // batch_size
    if not batches:
        raise InputError(f"batch_size={batch_size}: the corpus gives {rows} rows, not enough for one batch")
    return np.arange(batches)[:, None] + np.arange(batch_size) * batches
