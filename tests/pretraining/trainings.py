"""Small trainings, also as a process of its own: ``python -m tests.pretraining.trainings FOLDER '{"steps": 3, …}'``.

``killed`` says where such a process ends itself, as a machine does that loses its power.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from tests.pretraining.case import Tried
from tfx_core import Model
from tfx_core.model.heads import IGNORED
from tfx_training import Objective, Outcome, TokenCorpus, Trained, Trainee, TrainingSettings, train
from tfx_training.loop import position
from tfx_training.objective import Batch, Example
from tfx_training.objectives.causal import NextTokens

DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


class Sparse(NextTokens):
    """Only some tokens count, in each row another number of them; there are two terms of different weight."""

    terms: ClassVar = {"first": 1.0, "second": 0.5}

    def batch(self, examples: Sequence[Example]) -> Batch:
        ids = super().batch(examples)["input_ids"]
        return {"input_ids": ids, "first": self._some(ids, 2, 0), "second": self._some(ids, 3, 1)}

    def _some(self, ids: Tensor, of: int, which: int) -> Tensor:
        labels = ids.where((ids + ids[:, :1]) % of == which, IGNORED)
        labels[:, 1] = ids[:, 1]
        return labels

    def counts(self, batch: Batch) -> Mapping[str, int]:
        return {term: int((batch[term][:, 1:] != IGNORED).sum()) for term in self.terms}

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        return TwoTerms(models)

    def measures(
        self, losses: Mapping[str, float], right: Mapping[str, float], corpus: TokenCorpus
    ) -> Mapping[str, float]:
        return Objective.measures(self, losses, right, corpus)

    @property
    def main_measure(self) -> str:
        return "first"


class TwoTerms(Trainee):
    """A loss for each kind of labels."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        model = self.model("model")
        losses = {term: model(batch["input_ids"], labels=batch[term]).loss for term in ("first", "second")}
        return Outcome(losses, {} if self.training else {"first": losses["first"].detach() * 0 + 0.5})


class Following(NextTokens):
    """What is carried from batch to batch has an effect on the loss."""

    follows = True

    def trainee(self, models: Mapping[str, Model]) -> Trainee:
        return Remembering(models)


class Remembering(Trainee):
    """The loss is larger the larger those before it were."""

    def forward(self, batch: Mapping[str, Tensor], carried: Any = None) -> Outcome:
        loss = self.model("model")(**batch).loss
        before = torch.zeros(()) if carried is None else carried["before"][0]
        return Outcome({"loss": loss * (1 + before / 10)}, {}, {"before": [loss / 2 + before / 2]})


KINDS: Mapping[str, type[Objective[Any, Any]]] = {"plain": NextTokens, "sparse": Sparse, "following": Following}


def training(
    folder: Path, *, kind: str = "plain", dropout: bool = True, resume: bool | None = None, **settings: Any
) -> Trained:
    """Train a tiny GPT-2 into a folder."""
    tried = Tried("causal", "gpt2", folder.parent / f"tokenizer-{os.getpid()}")
    tried.case = replace(tried.case, config=dict.fromkeys(DROPOUTS, 0.1 if dropout else 0.0))
    objective = KINDS[kind](tried.tokenizer, **tried.case.options)
    given = TrainingSettings(**{"batch_size": 8, "rate": 1e-3, "log_every": 1, **settings})
    return train(
        objective,
        tried.models(),
        tried.corpus,
        folder,
        settings=given,
        held_out=tried.corpus,
        resume=resume,
        progress=False,
    )


def _killed_while_saving(step: int) -> None:
    save = torch.save

    def dying(value: Any, file: Any, *others: Any) -> None:
        save(value, file, *others)
        if "carried" in str(file) and f"step-{step}" in str(Path(file).parent.parent):
            os.kill(os.getpid(), signal.SIGKILL)

    position.torch.save = dying  # type: ignore[attr-defined]


def _killed_while_learning(step: int) -> None:
    calls: list[int] = []

    def dying(*others: Any) -> None:
        calls.append(1)
        if len(calls) > step:
            os.kill(os.getpid(), signal.SIGKILL)

    register_optimizer_step_post_hook(dying)


KILLED = {"saving": _killed_while_saving, "learning": _killed_while_learning}

if __name__ == "__main__":
    options = json.loads(sys.argv[2])
    for how, step in options.pop("killed", {}).items():
        KILLED[how](step)
    print(json.dumps(training(Path(sys.argv[1]), **options).measures))
