"""Objectives that are wrong in one way each, and what the kit says of each; `test_broken_objectives`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tests.testing.faults import Fault, broken
from tfx_core import Model, ObjectiveSpec, Tokenizer, hookimpl
from tfx_core.model.heads import IGNORED
from tfx_testing import Checks, ObjectiveCase, ObjectiveChecks
from tfx_training import Objective, Outcome, TokenCorpus
from tfx_training.objective import Trainee


class Row(NamedTuple):
    """A document by its number."""

    corpus: TokenCorpus
    number: int


class Continued(Objective[TokenCorpus, Row]):
    """Of each text what follows a beginning, which is another one in every epoch."""

    roles: ClassVar[Mapping[str, str]] = {"model": "causal-lm"}

    def __init__(self, tokenizer: Tokenizer, *, length: int = 24) -> None:
        super().__init__(tokenizer)
        self.length = length

    def rows(self, corpus: TokenCorpus, generator: np.random.Generator) -> Sequence[Row]:
        return [Row(corpus, number) for number in range(len(corpus.document_ends))]

    def example(self, row: Row, generator: np.random.Generator) -> dict[str, Any]:
        ids = row.corpus.document(row.number).ids[: self.length]
        labels = ids.copy()
        labels[: 1 + self.drawn(generator)] = IGNORED
        return {"input_ids": ids, "labels": labels}

    def drawn(self, generator: np.random.Generator) -> int:
        """How many tokens are given beside the first."""
        return int(generator.integers(4))

    def batch(self, examples: Sequence[Any]) -> dict[str, Tensor]:
        width = max(len(each["input_ids"]) for each in examples)

        def filled(name: str, value: int) -> Tensor:
            rows = [np.pad(each[name], (0, width - len(each[name])), constant_values=value) for each in examples]
            return torch.from_numpy(np.stack(rows))

        mask = [[1] * len(each["input_ids"]) for each in examples]
        return {
            "input_ids": filled("input_ids", self.tokenizer.pad_token_id or 0),
            "attention_mask": torch.tensor([row + [0] * (width - len(row)) for row in mask]),
            "labels": filled("labels", self.beyond),
        }

    beyond: ClassVar[int] = IGNORED
    """The label of padding."""


class Undocumented(Continued):
    pass


class Remembering(Continued):
    """Draws from a generator of its own."""

    def __init__(self, tokenizer: Tokenizer, *, length: int = 24) -> None:
        super().__init__(tokenizer, length=length)
        self.own = np.random.default_rng(0)

    def drawn(self, generator: np.random.Generator) -> int:
        return int(self.own.integers(4))


class Settled(Continued):
    """Draws once for all rows."""

    def drawn(self, generator: np.random.Generator) -> int:
        return 2


class Counting(Continued):
    """Counts every place of a batch."""

    def counts(self, batch: Mapping[str, Tensor]) -> Mapping[str, int]:
        return {"loss": batch["labels"].numel()}


class ByRow(Trainee):
    """The mean of the means of rows."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        rows = [{name: each[row : row + 1] for name, each in batch.items()} for row in range(len(batch["labels"]))]
        return Outcome({"loss": torch.stack([super(ByRow, self).forward(row).losses["loss"] for row in rows]).mean()})


class MeanOfMeans(Continued):
    """Takes the mean of the means of rows."""

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        return ByRow(models)


class Detached(Trainee):
    """The loss without its gradient, which is nothing."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        loss = super().forward(batch).losses["loss"]
        return Outcome({"loss": loss.detach() + (loss - loss)})


class Idle(Continued):
    """Gives no gradient."""

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        return Detached(models)


class Shifted(Continued):
    """Labels are drawn, so that none is what stands in its place."""

    def example(self, row: Row, generator: np.random.Generator) -> dict[str, Any]:
        made = super().example(row, generator)
        labels = generator.integers(5, 30, len(made["labels"]))
        return {**made, "labels": np.where(made["labels"] == IGNORED, IGNORED, labels)}


def checks_of(kind: type[Continued], *, summary: str = "a toy", **case: Any) -> Callable[[], type[Checks]]:
    """A test class of an objective."""

    class Plugin:
        @hookimpl
        def tfx_objectives(self) -> list[ObjectiveSpec]:
            return [ObjectiveSpec("toy-objective", target=f"{__name__}:{kind.__name__}", summary=summary)]

    return broken(ObjectiveChecks, Plugin(), objective="toy-objective", case=ObjectiveCase(rate=1e-2, **case))


SOUND = checks_of(Continued)

FAULTS: dict[str, Fault] = {
    "has no summary": Fault(checks_of(Continued, summary=""), "test_it_says_what_it_is", "has no summary"),
    "says nothing of itself": Fault(checks_of(Undocumented), "test_it_says_what_it_is", "has no docstring"),
    "draws from its own": Fault(
        checks_of(Remembering), "test_a_row_depends_on_its_numbers_alone", "the same rows gave two batches"
    ),
    "draws once": Fault(checks_of(Settled), "test_an_epoch_draws_anew", r"other examples: False.*draws=True"),
    "draws, and says that it does not": Fault(
        checks_of(Continued, draws=False), "test_an_epoch_draws_anew", r"other examples: True.*draws=False"
    ),
    "counts padding": Fault(checks_of(Counting), "test_a_batch_is_the_mean_of_its_rows", "what counts in 'loss'"),
    "takes a mean of means": Fault(
        checks_of(MeanOfMeans), "test_a_batch_is_the_mean_of_its_rows", "the mean of 'loss'"
    ),
    "gives no gradient": Fault(checks_of(Idle), "test_it_learns", r"the loss fell to (0\.9|1)"),
    "learns what is not there": Fault(checks_of(Shifted), "test_it_learns", r"the loss fell to (0\.[6-9]|1)"),
}
