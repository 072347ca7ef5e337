"""From documents to the arrays of a corpus, in memory or on disk: many texts at a time are tokenized, none is kept.

A text of more than `LONGEST` characters is tokenized in pieces, so that no text needs more memory than others. It is
cut before a blank, a sentence's first if there is one in reach: there every tokenizer of pieces gives the ids of the
whole, and one of whole words may see the end of a sentence where there is none.
"""

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_training.corpus.documents import Document
from tfx_training.corpus.tokens import TokenCorpus
from tfx_training.token_tables import rows_of_table

LONGEST = 50_000
"""Characters that are tokenized as one text."""

TOGETHER = 1_000_000
"""Characters that are tokenized at once, in threads of the tokenizers library."""

Item = TypeVar("Item")

COLUMNS = ("ids", "word_starts", "sentence_ends", "document_ends", "groups")
"""The arrays of a corpus, by the names of their attributes."""

MOST_GROUPS = np.iinfo(np.uint16).max + 1


def dtypes(vocabulary_size: int) -> dict[str, np.dtype[Any]]:
    """The number type of each column; ids are as small as the vocabulary lets them be."""
    small = vocabulary_size <= np.iinfo(np.uint16).max + 1
    names = ("uint16" if small else "uint32", "bool", "int64", "int64", "uint16")
    return {column: np.dtype(name) for column, name in zip(COLUMNS, names, strict=True)}


def sides_of(tokenizer: Tokenizer) -> tuple[Tokenizer, Tokenizer]:
    """The tokenizer of the first part of a document, and the one of what is behind it, which is a target."""
    same = tokenizer.target_vocabulary is tokenizer.vocabulary
    return tokenizer, tokenizer if same else tokenizer.as_target()


def vocabulary_of(tokenizer: Tokenizer) -> int:
    """The number below which all ids of a corpus are, whichever side they are of."""
    return max(map(rows_of_table, sides_of(tokenizer)))


class Sink(Protocol):
    """Where the columns of a corpus go."""

    def append(self, column: str, values: NDArray[Any]) -> None:
        """Put values at the end of a column."""

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns, once nothing more is to come."""


class InMemory:
    """Columns as arrays."""

    def __init__(self) -> None:
        self._parts: dict[str, list[NDArray[Any]]] = {column: [] for column in COLUMNS}

    def append(self, column: str, values: NDArray[Any]) -> None:
        """Put values at the end of a column."""
        self._parts[column].append(values)

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns."""
        return {column: np.concatenate(parts) for column, parts in self._parts.items()}


class Piece(NamedTuple):
    """What of a part is tokenized as one text."""

    text: str
    sentence_ends: Sequence[int]
    group: str


class Collected:
    """Documents that are tokenized and put into a sink."""

    def __init__(self, tokenizer: Tokenizer, sink: Sink) -> None:
        self.sides = sides_of(tokenizer)
        self.sink = sink
        self.types = dtypes(vocabulary_of(tokenizer))
        self.names: dict[str, int] = {}
        self.tokens = self.sentences = self.documents = self.size = self.digest = 0

    def extend(self, documents: Iterable[Document | str]) -> None:
        """Add documents; one of which a part has no token is left out."""
        whole = (Document.of(each) if isinstance(each, str) else each for each in documents)
        for together in _batches(whole, lambda each: sum(len(part.text) for part in each.parts)):
            self._add(together)

    def corpus(self, empty: str | None = None) -> TokenCorpus:
        """All that was added; raises `InputError` where it has no token, which says ``empty``."""
        if not self.tokens:
            raise InputError(empty or "the corpus has no tokens: every text is empty")
        return TokenCorpus(**self.sink.columns(), group_names=tuple(self.names), size=self.size, digest=self.digest)

    def _add(self, documents: Sequence[Document]) -> None:
        pieces = [
            [list(pieces_of(part.text, part.sentence_ends, part.group)) for part in each.parts] for each in documents
        ]
        targets = [piece.text for parts in pieces for part in parts[1:] for piece in part]
        tokenized = _InOrder(self.sides[0], [piece.text for parts in pieces for piece in parts[0]])
        of_targets = _InOrder(self.sides[1], targets)
        for parts in pieces:
            done = [
                [(of_targets if number else tokenized).next(piece) for piece in part]
                for number, part in enumerate(parts)
            ]
            if all(any(len(piece.ids) for piece in part) for part in done):
                self._put([_Part.of(*both) for both in zip(done, parts, strict=True)])

    def _put(self, parts: Sequence["_Part"]) -> None:
        for part in parts:
            group = self.names.setdefault(part.group, len(self.names))
            if group >= MOST_GROUPS:
                raise InputError(f"the corpus has more than {MOST_GROUPS} languages or control codes")
            self._append("ids", part.ids)
            self._append("word_starts", part.word_starts)
            self._append("sentence_ends", part.sentence_ends + self.tokens)
            self._append("groups", np.full(len(part.sentence_ends), group))
            self.tokens += len(part.ids)
            self.sentences += len(part.sentence_ends)
            self.size += part.size
        self._append("document_ends", np.asarray([self.sentences]))
        self.documents += 1

    def _append(self, column: str, values: NDArray[Any]) -> None:
        values = values.astype(self.types[column])
        self.digest = zlib.crc32(values.tobytes(), self.digest)
        self.sink.append(column, values)


class _Part(NamedTuple):
    """The tokens of a part, and where its sentences end among them."""

    ids: NDArray[Any]
    word_starts: NDArray[Any]
    sentence_ends: NDArray[Any]
    group: str
    size: int

    @staticmethod
    def of(tokenized: Sequence["_Tokenized"], pieces: Sequence[Piece]) -> "_Part":
        before = np.cumsum([0, *(len(each.ids) for each in tokenized)])
        ends = [each.sentence_ends + begin for each, begin in zip(tokenized, before[:-1], strict=True)]
        unique = np.unique(np.concatenate([*ends, before[-1:]]))
        return _Part(
            np.concatenate([each.ids for each in tokenized]),
            np.concatenate([each.word_starts for each in tokenized]),
            unique[unique > 0],
            pieces[0].group,
            sum(len(piece.text.encode()) for piece in pieces),
        )


class _Tokenized(NamedTuple):
    ids: NDArray[Any]
    word_starts: NDArray[Any]
    sentence_ends: NDArray[Any]


class _InOrder:
    """Texts that are taken one after another, and tokenized together: no more of them than are for one time."""

    def __init__(self, tokenizer: Tokenizer, texts: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._waiting = _batches(texts, len)
        self._row = self._rows = 0
        self._batch: Any = None

    def next(self, piece: Piece) -> _Tokenized:
        """The tokens of the next text; a token is of the sentence in which it begins."""
        if self._row == self._rows:
            self._tokenize(next(self._waiting))
        ids = np.asarray(self._batch["input_ids"][self._row], dtype=np.int64)
        words = np.asarray([-1 if word is None else word for word in self._batch.word_ids(self._row)], dtype=np.int64)
        starts = np.diff(words, prepend=-2) != 0
        begins = np.asarray(self._batch["offset_mapping"][self._row], dtype=np.int64).reshape(-1, 2)[:, 0]
        self._row += 1
        return _Tokenized(ids, starts, np.searchsorted(begins, np.asarray(piece.sentence_ends, dtype=np.int64)))

    def _tokenize(self, texts: list[str]) -> None:
        self._batch = None  # the ones before are let go first
        self._batch = self._tokenizer(
            texts,
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        self._row, self._rows = 0, len(texts)


def _batches(items: Iterable[Item], size_of: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Documents, or texts, as many at a time as have the characters that are tokenized at once."""
    together: list[Item] = []
    size = 0
    for item in items:
        together.append(item)
        size += size_of(item) + 1
        if size >= TOGETHER:
            yield together
            together, size = [], 0
    if together:
        yield together


def pieces_of(
    text: str, sentence_ends: Sequence[int] = (), group: str = "", *, longest: int | None = None
) -> Iterator[Piece]:
    """A text in pieces of at most ``longest`` characters, `LONGEST` where left out."""
    longest = longest or LONGEST
    begin = first = 0
    while begin < len(text):
        cut = len(text) if len(text) - begin <= longest else _cut(text, begin, sentence_ends, longest)
        after = bisect_right(sentence_ends, cut)
        yield Piece(text[begin:cut], [end - begin for end in sentence_ends[first:after]], group)
        begin, first = cut, after


def _cut(text: str, begin: int, sentence_ends: Sequence[int], longest: int) -> int:
    """Where a piece ends: before a blank, at a sentence's end if it can be, in the second half of what it may have."""
    least, most = begin + longest // 2, begin + longest
    ends = sentence_ends[bisect_right(sentence_ends, least) : bisect_right(sentence_ends, most)]
    blank = next((end for end in reversed(ends) if _is_before_blank(text, end)), None)
    places = (place for place in range(most, least, -1) if _is_before_blank(text, place))
    return blank or next(places, None) or (ends[-1] if ends else most)


def _is_before_blank(text: str, place: int) -> bool:
    return text[place] in " \t" and not text[place - 1].isspace()
