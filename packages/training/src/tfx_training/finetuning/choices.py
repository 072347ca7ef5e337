"""Texts with several ways to go on, or questions with several answers, of which one is right (Zellers et al. 2018)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from tfx_core import ModelOutput
from tfx_training.finetuning.records import Column, Record
from tfx_training.finetuning.tuning import FineTuning
from tfx_training.objective import Batch, Example, share_right


@dataclass(frozen=True, slots=True)
class Choice:
    """A text, what may follow it, and which of these does."""

    text: str
    choices: tuple[str, ...]
    label: int


class Choices(FineTuning[Choice]):
    """The right one of as many choices in every row.

    The choices are a list, or columns with a number behind one name: ``ending0``, ``ending1``. The right one is told by
    its number from 0, its letter, or its text; where the choices are an object of ``text`` and ``label``, as in ARC, by
    one of these labels.
    """

    roles: ClassVar = {"model": "multiple-choice"}
    columns = (
        Column("text", ("question", "context", "startphrase", "sent1", "ctx", "prompt", "text", "goal")),
        Column("choices", ("choices", "endings", "options", "ending0", "choice0", "choice1", "option1", "sol1")),
        Column("label", ("label", "answer", "answerKey", "labels")),
    )

    @property
    def best(self) -> Sequence[str]:
        """The measures of which more is better, the one that counts most first."""
        return ("accuracy",)

    def read(self, records: Sequence[Record], columns: Mapping[str, str]) -> list[Choice]:
        """Rows, each with as many choices as the first."""
        rows = [_choice(record, columns) for record in records]
        for record, row in zip(records, rows, strict=True):
            if len(row.choices) != len(rows[0].choices):
                reason = f"{len(row.choices)} choices, and {records[0].where} has {len(rows[0].choices)}"
                raise record.error(columns["choices"], f"{reason}; all rows need as many")
        return rows

    def example(self, row: Choice, generator: np.random.Generator) -> Example:
        """Columns ``(S, choices)``: the text before each choice."""
        rows = [self.inputs(row.text, choice) for choice in row.choices]
        width = max(len(each["input_ids"]) for each in rows)
        batch = super().batch([*rows])
        assert batch["input_ids"].shape == (len(rows), width)
        return {**{name: values.T.numpy() for name, values in batch.items()}, "labels": row.label}

    def batch(self, examples: Sequence[Example]) -> Batch:
        """Columns ``(B, choices, S)``."""
        batch = super().batch(examples)
        return {name: values.transpose(1, 2).contiguous() if values.dim() == 3 else values
                for name, values in batch.items()}  # fmt: skip

    def share(self, output: ModelOutput, batch: Mapping[str, Tensor]) -> Tensor | None:
        """How often the right one has the highest score."""
        return share_right(output.logits.argmax(-1), batch["labels"])


def _choice(record: Record, columns: Mapping[str, str]) -> Choice:
    choices = _choices(record, columns["choices"])
    if len(choices) < 2 or not all(isinstance(choice, str) for choice in choices):
        raise record.error(columns["choices"], "it must be a list of two texts or more")
    label: Any = record.values.get(columns["label"])
    places = _names(record, columns["choices"], len(choices))
    place = choices.index(label) if label in choices else places.get(str(label).strip())
    if place is None:
        raise record.error(columns["label"], f"it must be one of {', '.join(places)}, or of the choices")
    return Choice(record.text(columns["text"]), tuple(choices), place)


def _names(record: Record, column: str, count: int) -> dict[str, int]:
    """What the choices are called: as an object beside their texts says (``{"label": […]}``), else numbers from 0."""
    value = record.values.get(column)
    own = value.get("label") if isinstance(value, dict) else None
    if isinstance(own, list) and len(own) == count:
        return {str(name): number for number, name in enumerate(own)}
    places = {str(number): number for number in range(count)}
    return places | {chr(ord("A") + number): number for number in range(count)}


def _choices(record: Record, column: str) -> list[Any]:
    """A list, the texts of an object (``{"text": […]}``), or columns with a number behind the name of the first."""
    value = record.values.get(column)
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, list):
        return value
    name, first = column.rstrip("0123456789"), column[len(column.rstrip("0123456789")) :]
    numbered = (f"{name}{number}" for number in range(int(first or 0), int(first or 0) + 26))
    return [record.values[each] for each in numbered if each in record.values]
