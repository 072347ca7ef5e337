"""A tokenized corpus: one array of ids, and where its words, sentences and documents are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core import Tokenizer
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
        return Tokens.joined([self, other])

    def between(self, begin: int, end: int | None) -> "Tokens":
        """Those from one place to before another."""
        return Tokens(self.ids[begin:end], self.word_starts[begin:end])

    @staticmethod
    def joined(parts: Sequence["Tokens"]) -> "Tokens":
        """At least one part, and what comes after it."""
        ids, word_starts = zip(*parts, strict=True)
        return Tokens(np.concatenate(ids), np.concatenate(word_starts))

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

    digest: int = 0
    """CRC-32 of all columns, by which a corpus is known from another one of as many texts."""

    def __len__(self) -> int:
        """The number of documents."""
        return len(self.document_ends)

    @property
    def sentence_begins(self) -> Places:
        """``(S,)``, made anew at each call; `sentence_begin` gives one of them."""
        return np.concatenate([np.zeros(1, dtype=np.int64), self.sentence_ends[:-1]])

    def sentence_begin(self, number: int) -> int:
        """The place of a sentence's first token."""
        return int(self.sentence_ends[number - 1]) if number else 0

    def sentences_of(self, document: int) -> range:
        """The numbers of a document's sentences."""
        return range(int(self.document_ends[document - 1]) if document else 0, int(self.document_ends[document]))

    def between(self, begin: int, end: int) -> Tokens:
        """The tokens from one place of the corpus to before another."""
        return Tokens(self.ids[begin:end].astype(np.int64), np.asarray(self.word_starts[begin:end]))

    def sentence(self, number: int) -> Tokens:
        """The tokens of a sentence."""
        return self.between(self.sentence_begin(number), int(self.sentence_ends[number]))

    def document(self, number: int) -> Tokens:
        """The tokens of a document."""
        sentences = self.sentences_of(number)
        return self.between(self.sentence_begin(sentences[0]), int(self.sentence_ends[sentences[-1]]))

    def group_of(self, sentence: int) -> str:
        """The language of a sentence, or its control code."""
        return self.group_names[int(self.groups[sentence])]

    @staticmethod
    def of(tokenizer: Tokenizer, documents: Iterable[Document | str]) -> "TokenCorpus":
        """A corpus in memory; a text stands for a document of one part.

        Raises `InputError` where none has a token, `TextError` for a text that is none.
        """
        from tfx_training.corpus.collecting import Collected, InMemory

        collected = Collected(tokenizer, InMemory())
        collected.extend(documents)
        return collected.corpus()
