"""From a model and labelled files to a fine-tuned model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch

from tfx_core import Model, load_model
from tfx_core.checkpoint import HubOptions, read_whole
from tfx_core.errors import InputError, shown
from tfx_training.finetuning.heads import head_of_task, tuning_of
from tfx_training.finetuning.records import columns_of, read_records
from tfx_training.finetuning.tuning import FineTuning, tokenizer_for
from tfx_training.loop import Trained, train
from tfx_training.objective import generator_of
from tfx_training.settings import TrainingSettings

RATES = {
    "sequence-classification": 2e-5,
    "token-classification": 3e-5,
    "question-answering": 3e-5,
    "multiple-choice": 2e-5,
    "conditional-generation": 5e-5,
    "causal-lm": 5e-5,
}
"""Head -> the highest rate where nothing else is asked for, of pretrained models (Devlin et al. 2019, §A.3)."""

EPOCHS, BATCH, WARMUP = 3, 32, 0.1


@dataclass(frozen=True)
class Tuning:
    """A model, an objective and rows that fit each other: what `tfx_training.train` takes."""

    objective: FineTuning[Any]
    model: Model
    corpus: Sequence[Any]
    held_out: Sequence[Any] | None
    columns: Mapping[str, str]
    """What was read in which column."""

    unread: Sequence[str]
    """The other columns."""

    def settings(self, **given: Any) -> TrainingSettings:
        """Settings of a fine-tuning, and what is given in their place.

        That is 3 epochs, rows 32 at a time, a rate that rises for the first tenth and falls to 0, and an evaluation and
        a checkpoint after each epoch, of which the best is kept.
        """
        rows = len(self.objective.rows(self.corpus, generator_of(0)))
        batch = min(given.pop("batch_size", None) or BATCH, rows)
        settings = {"batch_size": batch, "rate": RATES[self.model.head_name], "evaluate_every": rows // batch,
                    "save_every": rows // batch, "keep_best": self.held_out is not None, **given}  # fmt: skip
        if not settings.keys() & {"steps", "epochs", "minutes"}:
            settings["epochs"] = EPOCHS
        steps = settings.get("steps") or rows // batch * settings.get("epochs", 0)
        return TrainingSettings(**{"warmup": round(WARMUP * steps), **settings})

    def train(self, folder: str | Path, settings: TrainingSettings, **how: Any) -> Trained:
        """Train, as `tfx_training.train` does."""
        return train(
            self.objective, {"model": self.model}, self.corpus, folder, settings=settings, held_out=self.held_out, **how
        )


def prepared_tuning(
    model: str | Path,
    rows: str | Path,
    held_out: str | Path | None = None,
    *,
    task: str | None = None,
    head: str | None = None,
    columns: Mapping[str, str] | None = None,
    length: int | None = None,
    seed: int = 0,
    hub: HubOptions | None = None,
    **options: Any,
) -> Tuning:
    """The model of a folder or hub id with a ``head``, or the one that a ``task`` needs, and the rows of files.

    ``columns`` are names of columns where they are not those often used; ``options`` are those of the head's objective.
    What the model lacks of its head begins at random, by the ``seed``; one that has the head and all the labels already
    keeps their numbers. Raises `InputError` that names file, line,
    column and value for rows that do not fit.
    """
    found = _head(task, head)
    kind = tuning_of(found)
    if task is not None and found == "conditional-generation":
        options["task"] = task
    _check_options(kind, found, options)
    records = read_records(rows)
    given = {} if hub is None else hub
    tokenizer = tokenizer_for(found, model, **given)
    known = _known_labels(model, given)
    objective = kind.for_rows(tokenizer, records, columns, known=known, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loaded = load_model(model, head=found, ignore_mismatched_sizes=True, **objective.of_model(), **given)
    objective.fit(loaded, length)
    named = columns_of(records, kind.columns, columns or {})
    return Tuning(
        objective,
        loaded,
        objective.read(records, named),
        None if held_out is None else objective.corpus(read_records(held_out), columns),
        named,
        [name for name in records[0].values if name not in named.values()],
    )


def _head(task: str | None, head: str | None) -> str:
    if task is not None and head is None:
        return head_of_task(task)
    if head is None or task is not None:
        raise InputError("task, head: exactly one says what is learnt")
    return head


def _check_options(kind: type[FineTuning[Any]], head: str, options: Mapping[str, Any]) -> None:
    """Raise `InputError` for an option of another head's objective."""
    allowed = [name for name in signature(kind).parameters if name not in ("tokenizer", "labels")]
    for name, value in options.items():
        if name not in allowed:
            raise InputError(f"{name}={shown(value)}: without effect for {head}, which takes {', '.join(allowed)}")


def _known_labels(model: str | Path, hub: HubOptions) -> Sequence[str]:
    """The classes that a checkpoint names."""
    config: dict[str, Any] | None = read_whole(model, lambda folder: folder.json("config.json"), **hub)
    named = (config or {}).get("id2label")
    return list(map(str, named.values())) if isinstance(named, dict) else []
