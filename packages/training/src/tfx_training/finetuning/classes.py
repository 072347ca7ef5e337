"""Texts, or pairs of them, with a class, several classes or a value (Devlin et al. 2019, §4.1)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from tfx_core import ModelOutput, Tokenizer
from tfx_core.errors import InputError, shown
from tfx_core.model import ProblemType
from tfx_core.tasks import pipeline
from tfx_training.finetuning import metrics
from tfx_training.finetuning.records import Column, Record, columns_of
from tfx_training.finetuning.tuning import FineTuning, in_order, label_of, number_of
from tfx_training.objective import Example, Trainee, share_right

SEVERAL: ProblemType = "multi_label_classification"
ONE: ProblemType = "single_label_classification"
VALUE: ProblemType = "regression"


@dataclass(frozen=True, slots=True)
class Classified:
    """A text, or two, and what is to be told of it."""

    texts: tuple[str, ...]
    label: float | tuple[int, ...]
    """The number of its class, those of its classes, or its value."""


class Classes(FineTuning[Classified]):
    """The classes of texts: one each, several (a list of labels in JSON, or with commas between), or a value."""

    roles: ClassVar = {"model": "sequence-classification"}
    columns = (
        Column("text", ("text", "sentence", "sentence1", "premise", "question1", "review", "content")),
        Column("pair", ("text_pair", "pair", "sentence2", "hypothesis", "question2"), required=False),
        Column("label", ("label", "labels", "class", "category", "gold_label", "score")),
    )

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        length: int = 512,
        labels: Sequence[str] = ("0", "1"),
        problem: ProblemType = ONE,
    ) -> None:
        super().__init__(tokenizer, length=length)
        self.labels = ("score",) if problem == VALUE else tuple(labels)
        self.problem = problem
        if problem == ONE and len(self.labels) < 2:
            raise InputError(f"labels={shown(list(labels))}: a text has one class of at least two")
        self._numbers = {label: number for number, label in enumerate(self.labels)}

    @classmethod
    def for_rows(
        cls,
        tokenizer: Tokenizer,
        records: Sequence[Record],
        given: Mapping[str, str] | None = None,
        *,
        known: Sequence[str] = (),
        problem: ProblemType | None = None,
        **options: Any,
    ) -> Self:
        """The objective of the problem that the labels pose: lists are several classes, broken numbers are values."""
        column = columns_of(records, cls.columns, given or {})["label"]
        problem = problem or _problem(records, column)
        if problem == VALUE:
            return cls(tokenizer, problem=problem, **options)
        labels = {label for record in records for label in _labels(record, column, problem)}
        return cls(tokenizer, labels=in_order(labels, known), problem=problem, **options)

    @property
    def best(self) -> Sequence[str]:
        """The measures of which more is better, the one that counts most first."""
        return {VALUE: ("Spearman",), SEVERAL: ("micro F1", "accuracy"), ONE: ("accuracy",)}[self.problem]

    def of_model(self) -> Mapping[str, Any]:
        """Names of the classes, and the loss."""
        return {"id2label": dict(enumerate(self.labels)), "problem_type": self.problem}

    def read(self, records: Sequence[Record], columns: Mapping[str, str]) -> list[Classified]:
        """Texts with their labels, which must be among those of the objective."""
        names = [columns[name] for name in ("text", "pair") if name in columns]
        return [Classified(tuple(map(record.text, names)), self._label(record, columns["label"])) for record in records]

    def _label(self, record: Record, column: str) -> float | tuple[int, ...]:
        if self.problem == VALUE:
            return _value(record, column)
        numbers = [number_of(label, self._numbers, record, column) for label in _labels(record, column, self.problem)]
        return tuple(sorted({*numbers})) if self.problem == SEVERAL else numbers[0]

    def example(self, row: Classified, generator: np.random.Generator) -> Example:
        """The tokens; the label is a number, or a 0 or 1 for each class."""
        label: Any = row.label
        if isinstance(label, tuple):
            label = np.isin(np.arange(len(self.labels)), label)
        return {**self.inputs(*row.texts), "labels": np.asarray(label, np.int64 if self.problem == ONE else np.float32)}

    def share(self, output: ModelOutput, batch: Mapping[str, Tensor]) -> Tensor | None:
        """Of texts with one class how often it was found."""
        return share_right(output.logits.argmax(-1), batch["labels"]) if self.problem == ONE else None

    def judged(self, trainee: Trainee, corpus: Sequence[Classified]) -> Mapping[str, float]:
        """What the task text-classification answers, measured."""
        task = pipeline(
            "text-classification",
            trainee.model("model"),
            tokenizer=self.tokenizer,
            max_length=self.length,
            return_all_scores=True,
        )
        answers = task([row.texts if len(row.texts) > 1 else row.texts[0] for row in corpus])
        scores = [[each["score"] for each in answer] for answer in answers]
        right: list[Any] = [row.label for row in corpus]
        if self.problem == VALUE:
            return metrics.of_values(right, [row[0] for row in scores])
        if self.problem == ONE:
            return metrics.of_classes(right, [int(np.argmax(row)) for row in scores])
        chosen = [[number for number, score in enumerate(row) if score > 0.5] for row in scores]
        return metrics.of_sets(right, chosen, len(self.labels))


def _problem(records: Sequence[Record], column: str) -> ProblemType:
    values = [record.values.get(column) for record in records]
    if any(isinstance(value, list) for value in values):
        return SEVERAL
    numbers = [_number(value) for value in values]
    broken = any(isinstance(value, float) or "." in str(value) for value in values)
    return VALUE if broken and None not in numbers else ONE


def _labels(record: Record, column: str, problem: ProblemType) -> list[str]:
    """The names of a row's labels."""
    value = record.values.get(column)
    if problem == SEVERAL and isinstance(value, str):
        return [label.strip() for label in value.split(",") if label.strip()]
    values = value if problem == SEVERAL and isinstance(value, list) else [value]
    labels = [label for label in map(label_of, values) if label is not None]
    if len(labels) < len(values):
        wanted = "a list of labels" if problem == SEVERAL else "one label, a text or a whole number"
        raise record.error(column, f"it must be {wanted}")
    return labels


def _value(record: Record, column: str) -> float:
    number = _number(record.values.get(column))
    if number is None:
        raise record.error(column, "it must be a number, as in the other rows")
    return number


def _number(value: object) -> float | None:
    """A finite number, also one that is written in a text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
