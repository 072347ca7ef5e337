"""What the fine-tuning of every head shares: an objective whose corpus is labelled rows."""

import zlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from torch import Tensor

from tfx_core import Model, ModelOutput, Tokenizer, load_tokenizer
from tfx_core.errors import InputError, shown
from tfx_core.fields import Size, checked
from tfx_core.tasks import length_limit
from tfx_training.finetuning.records import Column, Record, columns_of
from tfx_training.objective import Batch, Example, Objective, Outcome, Trainee, padded

Labelled = TypeVar("Labelled")


class Tuned(Trainee):
    """A model with its head, given of a batch what it takes."""

    def __init__(self, models: Mapping[str, Model], objective: "FineTuning[Any]") -> None:
        super().__init__(models)
        self.objective = objective

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        """The loss; in evaluation mode also the share that was right, where answers are one of several."""
        model = self.model("model")
        output = model(**{name: value for name, value in batch.items() if name in model.input_names})
        share = None if self.training else self.objective.share(output, batch)
        return Outcome({"loss": output.loss}, {} if share is None else {"loss": share})


class FineTuning(Objective[Sequence[Labelled], Labelled]):
    """Labelled rows for one head; each row is tokenized when it is asked for, and nothing is drawn.

    ``length`` is the most tokens of a row, which is cut to that.
    """

    columns: ClassVar[Sequence[Column]]
    """What a row of a file has."""

    filled: ClassVar[Mapping[str, int]] = {}
    """Columns with a value for each token, beside those of the tokenizer, and what fills them up."""

    def __init__(self, tokenizer: Tokenizer, *, length: int = 512) -> None:
        super().__init__(tokenizer)
        self.length = checked(length, Size, "length", InputError)

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
        """The objective that these rows ask for: with their labels, in the order of those that a model ``known``."""
        return cls(tokenizer, **options)

    @abstractmethod
    def read(self, records: Sequence[Record], columns: Mapping[str, str]) -> list[Labelled]:
        """The rows of a file; raises `InputError` that names line and value."""

    def corpus(self, records: Sequence[Record], given: Mapping[str, str] | None = None) -> list[Labelled]:
        """The same, of columns found by their names but for those that are ``given``."""
        return self.read(records, columns_of(records, self.columns, given or {}))

    @property
    def best(self) -> Sequence[str]:
        """The measures of which more is better, the one that counts most first; where there is none, less loss is."""
        return ()

    def score(self, measures: Mapping[str, float]) -> tuple[float, ...]:
        """How good an evaluation is, by the first of `best` that it has; where that is alike, by the loss."""
        return (*[measures[name] for name in self.best if name in measures][:1], -measures["loss"])

    def fit(self, model: Model, length: int | None = None) -> None:
        """Take what a model and its checkpoint say: rows no longer than it reads, or of the ``length`` asked for.

        Raises `InputError` for a length that it cannot read.
        """
        limit = length_limit(model, self.tokenizer, length, "length")
        self.length = length or min(self.length, limit or self.length)

    def of_model(self) -> Mapping[str, Any]:
        """Keys of the model's config that the data decide."""
        return {}

    def rows(self, corpus: Sequence[Labelled], generator: np.random.Generator) -> Sequence[Labelled]:
        """All rows."""
        return corpus

    def digest(self, corpus: Sequence[Labelled]) -> int:
        """Of all rows."""
        return reduce(lambda before, row: zlib.crc32(repr(row).encode("utf-8", "replace"), before), corpus, 0)

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Rows filled up on the tokenizer's side; what is filled up never counts."""
        fill = {
            "input_ids": self.tokenizer.pad_token_id or 0,
            "attention_mask": 0,
            "token_type_ids": self.tokenizer.pad_token_type_id,
            **self.filled,
        }
        return padded(examples, fill, left=self.tokenizer.padding_side == "left")

    def counts(self, batch: Batch) -> Mapping[str, int]:
        """The rows."""
        return {"loss": len(batch["input_ids"])}

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        """The model; raises `InputError` for another head."""
        self.check_roles(models)
        return Tuned(models, self)

    def share(self, output: ModelOutput, batch: Mapping[str, Tensor]) -> Tensor | None:
        """How often the best guess was right; None where there are no guesses."""
        return None

    def measures(
        self, losses: Mapping[str, float], right: Mapping[str, float], corpus: Sequence[Labelled]
    ) -> Mapping[str, float]:
        """The loss, and how often it was right."""
        return {**losses, **({"accuracy": right["loss"]} if right else {})}

    def inputs(self, *texts: Any, **how: Any) -> dict[str, Any]:
        """The columns ``(S,)`` of a text or pair, cut to the length."""
        columns = self.tokenizer(*texts, truncation=True, max_length=self.length, return_attention_mask=True, **how)
        return {name: np.asarray(values, dtype=np.int64) for name, values in columns.items()}


def number_of(label: str, known: Mapping[str, int], record: Record, column: str) -> int:
    """The number of a label; raises `InputError` that names the line of one that is not known."""
    if label not in known:
        raise record.error(column, f"{shown(label)} is no label of the rows to learn from: {', '.join(known)}")
    return known[label]


def tokenizer_for(head: str, folder: str | Path, **hub: Any) -> Tokenizer:
    """The tokenizer of a folder or hub id, with what the rows of a head need of it: a blank before each word."""
    tokenizer = load_tokenizer(folder, **hub)
    if head == "token-classification" and getattr(tokenizer, "add_prefix_space", None) is False:
        return load_tokenizer(folder, add_prefix_space=True, **hub)
    return tokenizer


def in_order(labels: Iterable[str], known: Sequence[str] = ()) -> tuple[str, ...]:
    """Labels as a model numbers them that ``known`` all of them; else as the alphabet does, numbers by their value."""
    found = {*labels}
    if found <= {*known}:
        return tuple(known)
    return tuple(
        sorted(found, key=lambda label: (not label.isdecimal(), label.zfill(20) if label.isdecimal() else label))
    )


def label_of(value: object) -> str | None:
    """The name of a label that is a text, a whole number, true or false; None for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) or (isinstance(value, str) and value.strip()) else None
