"""A tokenized corpus: one array of ids, and where its words, sentences and documents are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_training.corpus.documents import Document

Ids: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Places: TypeAlias = NDArray[np.int64]


class Tokens(NamedTuple):
    """Consecutive tokens of a corpus."""

    ids: Ids
    """``(n,)``"""

    word_starts: Flags
    """``(n,)``, which of them begin a word."""

    def __add__(self, other: Any) -> "Tokens":
        """These, and then others."""
        return Tokens(np.concatenate([self.ids, other.ids]), np.concatenate([self.word_starts, other.word_starts]))

    def between(self, begin: int, end: int | None) -> "Tokens":
        """Those from one place to before another."""
        return Tokens(self.ids[begin:end], self.word_starts[begin:end])

    @staticmethod
    def of(ids: Sequence[int]) -> "Tokens":
        """Tokens each of which is a word, such as special ones."""
        return Tokens(np.asarray(ids, dtype=np.int64), np.ones(len(ids), dtype=np.bool_))


@dataclass(frozen=True, eq=False)
class TokenCorpus:
    """Documents of sentences of tokens, without special ones; the arrays may be mapped from files.

    A document is some sentences after one another; where it is a pair, one for each side. Every document and sentence
    has at least one token.
    """

    ids: NDArray[Any]
    """``(T,)``, unsigned."""

    word_starts: Flags
    """``(T,)``, which tokens begin a word."""

    sentence_ends: Places
    """``(S,)``, for each sentence the place after its last token."""

    document_ends: Places
    """``(D,)``, for each document the number of the sentence after its last one."""

    groups: NDArray[Any]
    """``(S,)``, for each sentence the place of its language, or control code, in ``group_names``."""

    group_names: tuple[str, ...]

    size: int
    """Bytes of the texts, in UTF-8."""

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.document_ends)

    @cached_property
    def sentence_begins(self) -> Places:
        """``(S,)``"""
        return np.concatenate([np.zeros(1, dtype=np.int64), self.sentence_ends[:-1]])

    def sentences_of(self, document: int) -> range:
        """The numbers of a document's sentences."""
        return range(int(self.document_ends[document - 1]) if document else 0, int(self.document_ends[document]))

    def between(self, begin: int, end: int) -> Tokens:
        """The tokens from one place of the corpus to before another."""
        return Tokens(self.ids[begin:end].astype(np.int64), np.asarray(self.word_starts[begin:end]))

    def sentence(self, number: int) -> Tokens:
        """The tokens of a sentence."""
        return self.between(int(self.sentence_begins[number]), int(self.sentence_ends[number]))

    def document(self, number: int) -> Tokens:
        """The tokens of a document."""
        sentences = self.sentences_of(number)
        return self.between(int(self.sentence_begins[sentences[0]]), int(self.sentence_ends[sentences[-1]]))

    def group_of(self, sentence: int) -> str:
        """The language of a sentence, or its control code."""
        return self.group_names[int(self.groups[sentence])]

    @staticmethod
    def of(tokenizer: Tokenizer, documents: Iterable[Document | str]) -> "TokenCorpus":
        """A corpus in memory; a text stands for a document of one part. Raises `InputError` where none has a token."""
        collected = _Collected(tokenizer)
        for document in documents:
            collected.add(Document.of(document) if isinstance(document, str) else document)
        return collected.corpus()


class _Collected:
    """What a corpus in memory is collected in."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        one_sided = tokenizer.target_vocabulary is tokenizer.vocabulary
        self.target = tokenizer if one_sided else tokenizer.as_target()
        self.ids: list[int] = []
        self.word_starts: list[bool] = []
        self.sentence_ends: list[int] = []
        self.document_ends: list[int] = []
        self.groups: list[int] = []
        self.names: dict[str, int] = {}
        self.size = 0

    def add(self, document: Document) -> None:
        """Add a document; one of which a part has no token is left out. What is behind its first part is a target."""
        parts = [
            (part, *tokenized(self.target if number else self.tokenizer, part.text, part.sentence_ends))
            for number, part in enumerate(document.parts)
        ]
        if not all(ends for _, _, ends in parts):
            return
        for part, tokens, ends in parts:
            self.sentence_ends += [len(self.ids) + end for end in ends]
            self.ids += tokens.ids.tolist()
            self.word_starts += tokens.word_starts.tolist()
            self.groups += [self.names.setdefault(part.group, len(self.names))] * len(ends)
            self.size += len(part.text.encode())
        self.document_ends.append(len(self.sentence_ends))

    def corpus(self) -> TokenCorpus:
        if not self.ids:
            raise InputError("the corpus has no tokens: every text is empty")
        return TokenCorpus(
            ids=np.asarray(self.ids, dtype=np.uint32),
            word_starts=np.asarray(self.word_starts, dtype=np.bool_),
            sentence_ends=np.asarray(self.sentence_ends, dtype=np.int64),
            document_ends=np.asarray(self.document_ends, dtype=np.int64),
            groups=np.asarray(self.groups, dtype=np.uint16),
            group_names=tuple(self.names),
            size=self.size,
        )


def tokenized(tokenizer: Tokenizer, text: str, sentence_ends: Sequence[int]) -> tuple[Tokens, list[int]]:
    """The tokens of a text, without special ones, and where its sentences end among them.

    It is tokenized as a whole, so that its ids are those of the text; a token is of the sentence in which it begins.
    """
    batch = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    words = [-1 if word is None else word for word in batch.word_ids()]
    starts = np.diff(np.asarray([-2, *words])) != 0
    begins = np.asarray([begin for begin, _ in batch["offset_mapping"]], dtype=np.int64)
    count = len(begins)
    ends = {int(np.searchsorted(begins, end)) for end in sentence_ends} | {count}
    tokens = Tokens(np.asarray(batch["input_ids"], dtype=np.int64), starts.astype(np.bool_))
    return tokens, sorted(end for end in ends if end > 0)
