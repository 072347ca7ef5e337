"""Pairs of segments, each some sentences, for the objectives that ask how the two belong together.

Devlin et al. 2019, appendix A.2, and ``create_instances_from_document`` and ``truncate_seq_pair`` of
``create_pretraining_data.py`` in google-research/bert and google-research/albert.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from torch import Tensor

from tfx_core import Model, Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Rate, Size, checked
from tfx_core.model.heads import IGNORED
from tfx_training.corpus import TokenCorpus, Tokens
from tfx_training.corpus.tokens import Places
from tfx_training.framing import Framing
from tfx_training.objective import Batch, Example, Objective, Outcome, padded
from tfx_training.objectives.masked_words import GuessingTrainee, guessed, mean_loss
from tfx_training.objectives.masking import Masking, Unit
from tfx_training.rows import Rows
from tfx_training.special_tokens import role_id
from tfx_training.word_starts import WordStarts

FOLLOWS, OTHER = 0, 1
"""The labels: the second segment follows the first in its document, or it is another one."""


class Span(NamedTuple):
    """Consecutive tokens of the corpus."""

    begin: int
    end: int


class Pair(NamedTuple):
    """Two segments, before they are cut to what a row has room for."""

    first: Span
    second: Span
    label: int


class Segments(NamedTuple):
    """The tokens of a pair."""

    first: Tokens
    second: Tokens
    label: int


def wanted_tokens(room: int, short: float, generator: np.random.Generator) -> int:
    """How many tokens the pairs of a document should have: ``room``, or with a probability of ``short`` 2 to it."""
    return int(generator.integers(2, room + 1)) if generator.random() < short else room


def last_of(corpus: TokenCorpus, document: int, first: int, tokens: int) -> int:
    """The number after that of the sentence of a document where, from the first on, there are so many tokens.

    Or where the document ends.
    """
    begin = int(corpus.sentence_ends[first - 1]) if first else 0
    reached = int(np.searchsorted(corpus.sentence_ends, begin + tokens)) + 1
    return min(reached, corpus.sentences_of(document).stop)


def split(first: int, last: int, generator: np.random.Generator) -> int:
    """With which of the sentences a second segment begins: any but the first; ``last``, with none, if it is alone."""
    return int(generator.integers(first + 1, last)) if last - first > 1 else last


def span_of(corpus: TokenCorpus, first: int, last: int) -> Span:
    """The tokens of the sentences from one to before another."""
    return Span(int(corpus.sentence_ends[first - 1]) if first else 0, int(corpus.sentence_ends[last - 1]))


def random_span(corpus: TokenCorpus, other_than: int, tokens: int, generator: np.random.Generator) -> Span:
    """Sentences of any other document, from any of them on, until there are so many tokens, or it ends."""
    document = int(generator.integers(len(corpus) - 1))
    document += document >= other_than
    sentences = corpus.sentences_of(document)
    first = int(generator.integers(sentences.start, sentences.stop))
    return span_of(corpus, first, last_of(corpus, document, first, max(1, tokens)))


def cut_sizes(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of each segment remain where the longer one loses one, again and again, until both have room."""
    excess = max(0, first + second - room)
    ahead = min(excess, abs(first - second))
    even = excess - ahead  # from now on the second one loses a token, then the first
    one, other = even // 2, even - even // 2
    return (first - ahead - one, second - other) if first > second else (first - one, second - ahead - other)


def cut(tokens: Tokens, size: int, generator: np.random.Generator) -> Tokens:
    """So many of the tokens: each that goes is one from the front or from the back, either as likely."""
    front = int(generator.binomial(len(tokens.ids) - size, 0.5))
    return tokens.between(front, front + size)


class PairRows(Rows[Segments]):
    """Pairs of a corpus; their tokens are read when they are asked for."""

    def __init__(self, corpus: TokenCorpus, pairs: Iterable[Pair]) -> None:
        self._corpus = corpus
        numbers = (number for first, second, label in pairs for number in (*first, *second, label))
        self._pairs: Places = np.fromiter(numbers, dtype=np.int64).reshape(-1, 5)

    def __len__(self) -> int:
        return len(self._pairs)

    def row(self, number: int) -> Segments:
        """A pair."""
        begin, end, second_begin, second_end, label = self._pairs[number].tolist()
        between = self._corpus.between
        return Segments(between(begin, end), between(second_begin, second_end), label)


class PairTrainee(GuessingTrainee):
    """A model that guesses hidden tokens and how the segments of a pair belong together."""

    def __init__(self, models: Mapping[str, Model], second_term: str, label: str, logits: str) -> None:
        super().__init__(models)
        self._second_term, self._label, self._logits = second_term, label, logits

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """Of each term the mean."""
        output, labels = guessed(self.model("model"), batch)
        guesses = {
            "masked words": (output["prediction_logits"], labels),
            self._second_term: (output[self._logits], batch[self._label]),
        }
        return Outcome({term: mean_loss(*guess) for term, guess in guesses.items()}, self.rightly(guesses))


class SegmentPairs(Objective[TokenCorpus, Segments]):
    """Pairs with hidden tokens; a subclass makes the pairs, and names the second term, its labels and its logits."""

    roles: ClassVar = {"model": "pretraining"}
    second_term: ClassVar[str]
    label: ClassVar[str]
    logits: ClassVar[str]

    def __init__(
        self,
        tokenizer: Tokenizer,
        unit: Unit,
        *,
        length: int,
        short: float,
        share: float,
        words: WordStarts | None = None,
    ) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)
        self.short = checked(short, Rate, "short", InputError)
        self.masking = Masking(tokenizer, share=share, unit=unit, words=words)
        self._framing = Framing(tokenizer, pair=True)
        self._room = self._framing.room(self.length, 2)
        self._padding = role_id(tokenizer, "pad_token")

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> PairRows:
        """The pairs of all documents, drawn anew; raises `InputError` for a corpus that gives none."""
        self.check_corpus(corpus)
        return PairRows(corpus, (pair for each in range(len(corpus)) for pair in self.pairs(corpus, each, generator)))

    def check_corpus(self, corpus: TokenCorpus) -> None:
        """Raise `InputError` unless some document has two sentences."""
        if len(corpus.sentence_ends) == len(corpus):
            raise InputError(
                f"{self.second_term} needs documents of at least two sentences; each of the {len(corpus)} of this "
                "corpus is one: say where sentences end (Part.sentence_ends), or take the objective masked-words"
            )

    def pairs(self, corpus: TokenCorpus, document: int, generator: np.random.Generator) -> Iterator[Pair]:
        """The pairs of a document."""
        raise NotImplementedError

    def example(self, row: Segments, generator: np.random.Generator) -> Example:
        """The pair, cut to what a row has room for, with special tokens around it, hidden in part."""
        sizes = cut_sizes(len(row.first.ids), len(row.second.ids), self._room)
        texts = (cut(text, size, generator) for text, size in zip(row[:2], sizes, strict=True))
        framed = self._framing(*texts)
        masked = self.masking(framed.tokens, generator)
        return {
            "input_ids": masked.ids,
            "token_type_ids": framed.types,
            "attention_mask": np.ones_like(masked.ids),
            "labels": masked.labels,
            self.label: row.label,
        }

    def batch(self, examples: Sequence[Example]) -> Batch:
        """``input_ids``, ``token_type_ids``, ``attention_mask`` and ``labels`` ``(B, S)``, and of pairs ``(B,)``."""
        fill = {"input_ids": self._padding, "token_type_ids": 0, "attention_mask": 0, "labels": IGNORED}
        return padded(examples, fill)

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """Hidden tokens, and pairs."""
        return {
            "masked words": int((batch["labels"] != IGNORED).sum()),
            self.second_term: len(batch[self.label]),
        }

    def trainee(self, models: Mapping[str, Model]) -> PairTrainee:
        """The model, with logits of hidden words alone."""
        self.check_roles(models)
        return PairTrainee(models, self.second_term, self.label, self.logits)

    @property
    def main_measure(self) -> str:
        """The loss of hidden words."""
        return "masked words"
