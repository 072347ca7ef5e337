"""Questions, and where a text answers them (Devlin et al. 2019, §4.2 and 4.3; the released ``run_squad.py``)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tfx_core import ModelOutput, Tokenizer
from tfx_core.errors import InputError, shown
from tfx_core.fields import Count, checked
from tfx_core.tasks import pipeline
from tfx_training.finetuning import metrics
from tfx_training.finetuning.records import Column, Record
from tfx_training.finetuning.tuning import FineTuning
from tfx_training.objective import Example, Trainee

LONGEST_ANSWER = 30
"""Tokens, as the released evaluations of SQuAD allow."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the text that may answer it, and its answers; none where the text has none."""

    question: str
    context: str
    answers: tuple[str, ...]
    start: int
    """The character at which the first answer begins."""

    where: str


@dataclass(frozen=True, slots=True)
class Window:
    """A question and as much of its text as fits, and the first and last token of the answer."""

    features: Mapping[str, NDArray[np.int32]]
    start: int
    end: int


class Answers(FineTuning[Asked]):
    """Long texts are read in windows that share ``stride`` tokens of them.

    A window that has not the whole answer, and a question without one, learn the classifier token; of a tokenizer that
    sets none such windows are left out, and questions without answers are an error.
    """

    roles: ClassVar = {"model": "question-answering"}
    columns = (
        Column("question", ("question",)),
        Column("context", ("context", "passage", "paragraph", "text")),
        Column("answers", ("answers", "answer"), required=False),
        Column("start", ("answer_start",), required=False),
    )

    def __init__(self, tokenizer: Tokenizer, *, length: int = 384, stride: int = 128) -> None:
        super().__init__(tokenizer, length=length)
        self.stride = checked(stride, Count, "stride", InputError)
        self._read: list[tuple[Sequence[Asked], list[Window]]] = []

    @property
    def best(self) -> Sequence[str]:
        """The measures of which more is better, the one that counts most first."""
        return ("F1", "exact match")

    def read(self, records: Sequence[Record], columns: Mapping[str, str]) -> list[Asked]:
        """Questions; an answer must stand in its text."""
        return [_asked(record, columns) for record in records]

    def rows(self, corpus: Sequence[Asked], generator: np.random.Generator) -> Sequence[Any]:
        """The windows of all questions."""
        rows = next((windows for read, windows in self._read if read is corpus), None)
        if rows is None:  # once, not in each epoch
            rows = [window for asked in corpus for window in self._windows(asked)]
            self._read.append((corpus, rows))
        if not rows:
            raise InputError(f"length={self.length}: no window has a whole answer; give more tokens")
        return rows

    def _windows(self, asked: Asked) -> Iterator[Window]:
        first = self.tokenizer.question_first
        size = len(self.tokenizer(asked.question, add_special_tokens=False)["input_ids"])
        room = self.length - self.tokenizer.num_special_tokens_to_add(pair=True) - size
        if room < 1:
            raise InputError(f"{asked.where}: a question of {size} tokens leaves no room for its text in {self.length}")
        batch = self.tokenizer(
            [asked.question if first else asked.context],
            [asked.context if first else asked.question],
            truncation="only_second" if first else "only_first",
            max_length=self.length,
            stride=self.stride if room > self.stride else room // 2,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            return_attention_mask=True,
        )
        end = asked.start + len(asked.answers[0]) if asked.answers else 0
        of_batch = ("offset_mapping", "special_tokens_mask", "overflow_to_sample_mapping")
        for row, ids in enumerate(batch["input_ids"]):
            context = np.asarray([sequence == int(first) for sequence in batch.sequence_ids(row)])
            begins, ends = np.asarray(batch["offset_mapping"][row]).T
            inside = np.flatnonzero(context & (begins < end) & (ends > asked.start))
            whole = len(inside) and begins[inside[0]] <= asked.start and ends[inside[-1]] >= end
            places = (
                (int(inside[0]), int(inside[-1])) if whole else self._nowhere(ids, batch["special_tokens_mask"][row])
            )
            if places is None and not asked.answers:
                raise InputError(
                    f"{asked.where}: a question without an answer, and the tokenizer sets no classifier token (cls) "
                    "that could stand for none; leave such questions out"
                )
            if places is not None:
                features = {name: np.asarray(batch[name][row], np.int32) for name in batch if name not in of_batch}
                yield Window(features, *places)

    def _nowhere(self, ids: Sequence[int], special: Sequence[int]) -> tuple[int, int] | None:
        """The place of the classifier token, which stands for no answer."""
        both = zip(ids, special, strict=True)
        places = (place for place, (token, added) in enumerate(both) if added and token == self.tokenizer.cls_token_id)
        place = next(places, None)
        return None if place is None else (place, place)

    def example(self, row: Any, generator: np.random.Generator) -> Example:
        """The tokens of a window, and the places of the answer in it."""
        return {
            **{name: values.astype(np.int64) for name, values in row.features.items()},
            "start_positions": row.start,
            "end_positions": row.end,
            "length": len(row.features["input_ids"]),
        }

    def batch(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """As of all heads; where rows are filled up on the left, places move."""
        batch = super().batch(examples)
        lengths = batch.pop("length")
        if self.tokenizer.padding_side == "left":
            for name in ("start_positions", "end_positions"):
                batch[name] += batch["input_ids"].shape[1] - lengths
        return batch

    def share(self, output: ModelOutput, batch: Mapping[str, Tensor]) -> Tensor | None:
        """In how many windows both places are right."""
        starts = output.start_logits.argmax(-1) == batch["start_positions"]
        return (starts & (output.end_logits.argmax(-1) == batch["end_positions"])).float().mean()

    def judged(self, trainee: Trainee, corpus: Sequence[Asked]) -> Mapping[str, float]:
        """What the task question-answering answers, by SQuAD's measures."""
        task = pipeline(
            "question-answering",
            trainee.model("model"),
            tokenizer=self.tokenizer,
            max_seq_len=self.length,
            max_answer_len=LONGEST_ANSWER,
            handle_impossible_answer=not all(asked.answers for asked in corpus),
        )
        found = task([{"question": asked.question, "context": asked.context} for asked in corpus])
        return metrics.of_answers([asked.answers for asked in corpus], [answer["answer"] for answer in found])


def _asked(record: Record, columns: Mapping[str, str]) -> Asked:
    question, context = record.text(columns["question"]).strip(), record.text(columns["context"])
    for name, text in (("question", question), ("context", context)):
        if not text.strip():
            raise record.error(columns[name], "it is blank")
    answers, starts = _answers(record, columns)
    start = _start(record, context, answers[0], starts[0] if starts else None) if answers else 0
    return Asked(question, context, tuple(answers), start, record.where)


def _answers(record: Record, columns: Mapping[str, str]) -> tuple[list[str], list[Any]]:
    """The answers and where they begin: SQuAD's list of objects, an object of two lists, a list of texts, or a text."""
    given: Any = record.values.get(columns.get("answers", ""))
    starts: Any = record.values.get(columns.get("start", ""), [])
    if given is None or given == "" or record.values.get("is_impossible") is True:
        return [], []
    if isinstance(given, dict):
        given, starts = given.get("text", []), given.get("answer_start", [])
    elif isinstance(given, list) and all(isinstance(each, dict) for each in given):
        given, starts = [each.get("text") for each in given], [each.get("answer_start") for each in given]
    answers = [given] if isinstance(given, str) else given
    if not isinstance(answers, list) or not all(isinstance(answer, str) and answer.strip() for answer in answers):
        raise record.error(columns["answers"], "it must be a text, a list of texts, or objects with text, answer_start")
    return answers, starts if isinstance(starts, list) else [starts]


def _start(record: Record, context: str, answer: str, start: Any) -> int:
    """Where an answer begins: at the place that is named, else at the nearest one that it stands at."""
    near = int(start) if str(start).isdecimal() else 0
    places = [place for place in range(len(context)) if context.startswith(answer, place)]
    if not places:
        raise InputError(f"{record.where}: the answer {shown(answer)} does not stand in its text, letter by letter")
    return min(places, key=lambda place: abs(place - near))
