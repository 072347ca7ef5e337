"""Rows of whole sentences: how they are packed, and how often each language's are read in an epoch."""

from array import array
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from tfx_core.errors import InputError
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Places
from tfx_training.languages import drawn_by_share
from tfx_training.rows import Rows
from tfx_training.streams import Joined

Packing: TypeAlias = Literal["full-sentences", "document-sentences", "blocks"]
"""What a row is filled with: as many sentences as it has room for, of any documents or of one, or just tokens."""

Meeting: TypeAlias = Literal["documents", "sentences"]
"""Between what a separator stands."""


class Sentences(Joined):
    """Those of a language after one another, all for ``None``, with a separator where documents meet, or all.

    Its pieces are sentences that follow one another in the corpus with nothing between.
    """

    def __init__(
        self, corpus: TokenCorpus, separator: int, group: int | None = None, between: Meeting = "documents"
    ) -> None:
        chosen = np.arange(len(corpus.sentence_ends)) if group is None else np.flatnonzero(corpus.groups == group)
        documents = np.searchsorted(corpus.document_ends, chosen, side="right")
        closes = np.append(np.diff(documents) != 0, True)  # the last one of its document
        last = closes | np.append(np.diff(chosen) != 1, True) if between == "documents" else np.ones_like(closes)
        ends = np.flatnonzero(last)
        counts = np.diff(ends, prepend=-1)
        followed = closes[ends] if between == "documents" else last[ends]
        followed[-1] = False
        begins = chosen[ends - counts + 1]
        super().__init__(
            corpus, corpus.sentence_begins[begins], corpus.sentence_ends[chosen[ends]], [separator], followed
        )
        self._sentence_ends: Places = corpus.sentence_ends[chosen] + np.repeat(self.piece_begins - self._begins, counts)
        """For each sentence the place after its last token."""
        self._document_ends: Places = self._sentence_ends[closes]
        """For each document the place after its last token."""

    def ends_within(self, begin: int, end: int) -> Places:
        """Of the tokens from one place to before another, where sentences end, but for the last one."""
        first, last = np.searchsorted(self._sentence_ends, [begin + 1, end])
        return self._sentence_ends[first:last] - begin

    def rows(self, packing: Packing, room: int) -> Places:
        """``(rows, 2)``, from where to before where each row is, of at most ``room`` tokens.

        Of whole sentences; one that is longer than a row is cut where the row ends, and its rest begins the next one.
        Blocks are full, and what is left is no row.
        """
        if packing == "blocks":
            begins = np.arange(len(self) // room) * room
            return np.stack([begins, begins + room], axis=1)
        found, begin = array("q"), 0  # of a large corpus there are millions
        while begin < len(self):
            end = self._last_end(begin + room)
            end = end if end > begin else begin + room
            if packing == "document-sentences":
                end = min(end, int(self._document_ends[np.searchsorted(self._document_ends, begin, side="right")]))
            found.extend((begin, end))
            begin = self._next_token(end)
        return np.asarray(found).reshape(-1, 2)

    def _last_end(self, limit: int) -> int:
        """The last end of a sentence that is not behind the limit."""
        count = int(np.searchsorted(self._sentence_ends, limit, side="right"))
        return int(self._sentence_ends[count - 1]) if count else 0

    def _next_token(self, place: int) -> int:
        """The place, or the one after it if a separator stands there."""
        number = int(np.searchsorted(self.piece_ends, place, side="right"))
        return place if number == len(self.piece_ends) else max(place, int(self.piece_begins[number]))


class Packed(NamedTuple):
    """A row before special tokens stand around it."""

    tokens: Tokens

    group: str
    """Its language."""

    sentence_ends: Places
    """``(s,)``, the places after the last tokens of those sentences that end within it, before its own end."""


class PackedRows(Rows[Packed]):
    """Rows of several streams, each of one language; they are read when they are asked for."""

    def __init__(self, streams: Sequence[Sentences], groups: Sequence[str], rows: Sequence[Places]) -> None:
        self._streams, self._groups = streams, groups
        numbers = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
        self._rows = np.concatenate([numbers[:, None], np.concatenate(rows)], axis=1)

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, number: int) -> Packed:
        """A row."""
        number_of_stream, begin, end = self._rows[number].tolist()
        stream = self._streams[number_of_stream]
        return Packed(stream.between(begin, end), self._groups[number_of_stream], stream.ends_within(begin, end))


def packed_rows(
    corpus: TokenCorpus,
    separator: int,
    room: int,
    generator: np.random.Generator,
    *,
    packing: Packing = "full-sentences",
    between: Meeting = "documents",
    exponent: float = 1.0,
) -> PackedRows:
    """The rows of an epoch, each of one language, drawn by their shares, see `drawn_by_share`.

    Raises `InputError` where there is none.
    """
    groups = np.unique(corpus.groups).tolist()
    streams = [Sentences(corpus, separator, group if len(groups) > 1 else None, between) for group in groups]
    rows = [stream.rows(packing, room) for stream in streams]
    counts = [len(each) for each in rows]
    if not any(counts):
        raise InputError(f"a row has {room} tokens beside special ones; the corpus has too few for one")
    read = drawn_by_share(counts, exponent, generator)
    rows = [each[numbers] for each, numbers in zip(rows, read, strict=True)]
    return PackedRows(streams, [corpus.group_names[group] for group in groups], rows)
