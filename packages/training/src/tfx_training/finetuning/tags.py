"""Sentences of words with a label each: names, parts of speech (Devlin et al. 2019, §5.3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from tfx_core import ModelOutput, Tokenizer
from tfx_core.model.heads import IGNORED
from tfx_core.tasks import pipeline
from tfx_training.finetuning import metrics
from tfx_training.finetuning.records import Column, Record, columns_of
from tfx_training.finetuning.tuning import FineTuning, in_order, label_of, number_of
from tfx_training.objective import Batch, Example, Trainee, share_right


@dataclass(frozen=True, slots=True)
class Tagged:
    """Words and the numbers of their labels."""

    words: tuple[str, ...]
    labels: tuple[int, ...]


class Tags(FineTuning[Tagged]):
    """The label of each word, learnt at its first piece that is more than the blank before it.

    A sentence that is longer than a row is several rows, cut between words, so that every word is learnt and judged.
    """

    roles: ClassVar = {"model": "token-classification"}
    columns = (
        Column("words", ("tokens", "words")),
        Column("labels", ("tags", "ner_tags", "labels", "pos_tags", "chunk_tags")),
    )
    filled: ClassVar = {"labels": IGNORED}

    def __init__(self, tokenizer: Tokenizer, *, length: int = 512, labels: Sequence[str] = ("O",)) -> None:
        super().__init__(tokenizer, length=length)
        self.labels = tuple(labels)
        self._numbers = {label: number for number, label in enumerate(self.labels)}

    @classmethod
    def for_rows(
        cls,
        tokenizer: Tokenizer,
        records: Sequence[Record],
        given: Mapping[str, str] | None = None,
        *,
        known: Sequence[str] = (),
        **options: Any,
    ) -> Self:
        """The objective with the labels of these rows."""
        columns = columns_of(records, cls.columns, given or {})
        labels = {label for record in records for label in _tagged(record, columns)[1]}
        return cls(tokenizer, labels=in_order(labels, known), **options)

    @property
    def best(self) -> Sequence[str]:
        """The measures of which more is better, the one that counts most first."""
        return ("F1", "accuracy")

    def of_model(self) -> Mapping[str, Any]:
        """Names of the labels."""
        return {"id2label": dict(enumerate(self.labels))}

    def read(self, records: Sequence[Record], columns: Mapping[str, str]) -> list[Tagged]:
        """Sentences; their labels must be among those of the objective."""
        rows: list[Tagged] = []
        for record in records:
            words, labels = _tagged(record, columns)
            numbers = [number_of(label, self._numbers, record, columns["labels"]) for label in labels]
            rows += (Tagged(tuple(words[part]), tuple(numbers[part])) for part in self._parts(words))
        return rows

    def _parts(self, words: Sequence[str]) -> Iterator[slice]:
        """As many words as fit in a row, then the next; a word that alone is longer is cut by the tokenizer."""
        room = self.length - self.tokenizer.num_special_tokens_to_add()
        of_words = self.tokenizer(list(words), add_special_tokens=False, is_split_into_words=True).word_ids()
        sizes = np.bincount([word for word in of_words if word is not None], minlength=len(words))
        begin, used = 0, 0
        for place, size in enumerate(sizes.tolist()):
            if used + size > room and place > begin:
                yield slice(begin, place)
                begin, used = place, 0
            used += size
        yield slice(begin, len(words))

    def example(self, row: Tagged, generator: np.random.Generator) -> Example:
        """The tokens; one of each word has its label."""
        batch = self.tokenizer(
            list(row.words),
            is_split_into_words=True,
            truncation=True,
            max_length=self.length,
            return_attention_mask=True,
        )
        places: dict[int, list[int]] = {}
        for place, word in enumerate(batch.word_ids()):
            if word is not None:
                places.setdefault(word, []).append(place)
        pieces = batch.tokens()
        labels = np.full(len(pieces), IGNORED)
        for word, own in places.items():
            labels[own[_telling([pieces[place] for place in own])]] = row.labels[word]
        return {**{name: np.asarray(values) for name, values in batch.items()}, "labels": labels}

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """The words."""
        return {"loss": int((batch["labels"] != IGNORED).sum())}

    def share(self, output: ModelOutput, batch: Mapping[str, Tensor]) -> Tensor | None:
        """How many words have the right label."""
        return share_right(output.logits.argmax(-1), batch["labels"])

    def judged(self, trainee: Trainee, corpus: Sequence[Tagged]) -> Mapping[str, float]:
        """What the task token-classification answers at the same pieces, measured.

        Where the tokenizer makes nothing of a word, its label is the first of those that name nothing (``O``).
        """
        task = pipeline(
            "token-classification",
            trainee.model("model"),
            tokenizer=self.tokenizer,
            max_length=self.length,
            is_split_into_words=True,
            ignore_labels=(),
        )
        answers = task([list(row.words) for row in corpus])
        right = [[self.labels[number] for number in row.labels] for row in corpus]
        nothing = "O" if "O" in self.labels else self.labels[0]
        given = [_at_words(row.words, answer, nothing) for row, answer in zip(corpus, answers, strict=True)]
        return metrics.of_tags(right, given)


def _at_words(words: Sequence[str], answer: Sequence[Mapping[str, Any]], nothing: str) -> list[str]:
    """The label of each word, which are joined by blanks, at the token that tells it."""
    labels, tokens, begin = [], list(answer), 0
    for word in words:
        end = begin + len(word)
        inside = [token for token in tokens if begin <= token["start"] < end]
        telling = _telling([token["word"] for token in inside])
        labels.append(str(inside[telling]["entity"]) if inside else nothing)
        begin = end + 1
    return labels


def _telling(pieces: Sequence[str]) -> int:
    """The place of the first piece that is more than a mark of a blank."""
    return next((place for place, piece in enumerate(pieces) if piece.strip("▁Ġ")), 0)


def _tagged(record: Record, columns: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The words of a row and their labels, as many; in a table they stand with blanks between."""
    lists = []
    for name in ("words", "labels"):
        value = record.values.get(columns[name])
        values = value.split() if isinstance(value, str) else value
        if not isinstance(values, list) or not values:
            raise record.error(columns[name], "it must be a list, one for each word")
        lists.append(values)
    words, labels = lists
    if len(words) != len(labels):
        raise record.error(columns["labels"], f"{len(labels)} labels for {len(words)} words")
    if not all(isinstance(word, str) for word in words):
        raise record.error(columns["words"], "all words must be texts")
    named = [label_of(label) for label in labels]
    if None in named:
        raise record.error(columns["labels"], "a label is a text or a whole number")
    return words, [label for label in named if label is not None]
