"""Heads of a third party that are wrong in one way each."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.testing.faults import AT_ONCE, Fault, broken
from tfx_core import HeadSpec, hookimpl
from tfx_core.checkpoint import Rename
from tfx_core.model import HeadPlan, ModelOutput
from tfx_core.model.heads import Head, token_loss
from tfx_core.nn import initialise_normal
from tfx_testing import Checks, HeadChecks


class Tagger(Head):
    """Labels each token by its state and that of the token before it."""

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """``labels`` ``(B, S)``; logits ``(B, S, C)``."""
        logits = self.classifier(states.last_hidden_state)
        return states.updated(logits=logits, loss=token_loss(logits, labels, states.token_mask))


class NextState(Tagger):
    """Adds the state of the next column, padding or not."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """The same."""
        x = states.last_hidden_state
        return super().forward(states.updated(last_hidden_state=x + F.pad(x, (0, 0, 0, 1))[:, 1:]), labels=labels)


class AllLabels(Tagger):
    """Learns of padding, too."""

    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        """The same."""
        output = super().forward(states)
        loss = None if labels is None else F.cross_entropy(output.logits.flatten(0, 1), labels.flatten())
        return output.updated(loss=loss)


class Undescribed(Tagger):
    def forward(self, states: ModelOutput, *, labels: Tensor | None = None) -> ModelOutput:
        return super().forward(states, labels=labels)


def initialise(path: str, module: nn.Module, config: Any, generator: torch.Generator | None) -> None:
    initialise_normal(module, 0.2, generator)


def nothing(path: str, module: nn.Module, config: Any, generator: torch.Generator | None) -> None: ...


def plan(kind: type[Tagger], *, names: str = "tagger.{p}", fill: Any = initialise) -> HeadPlan[Any]:
    """The plan of a head."""
    return HeadPlan(
        lambda config, backbone: kind(nn.Linear(backbone.width, config.num_labels)),
        rules={"tagger": (Rename(names, "head.classifier.{p}"),)},
        initialise=fill,
    )


TARGETS = SimpleNamespace()
"""What the specs' targets lead to, by a name for each fault."""


def classes(head: str, token_labels: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Two classes of tokens."""
    return {"labels": token_labels.clamp(max=1)}


def checks(target: object, **said: Any) -> Callable[[], type[Checks]]:
    """The checks of one of them."""
    name = f"broken_{len(vars(TARGETS))}"
    setattr(TARGETS, name, target)

    class Plugin:
        @hookimpl
        def tfx_heads(self) -> list[HeadSpec]:
            return [HeadSpec("tagger", f"{__name__}:TARGETS.{name}", **{"summary": "broken", **said})]

    return broken(HeadChecks, Plugin(), head="tagger", labels=staticmethod(classes))


FAULTS = {
    "the next column is read": Fault(
        checks(plan(NextState)),
        "test_a_text_gives_in_any_batch",
        "logits of a text .* padded on the right to 9, beside",
    ),
    "labels of padding count": Fault(checks(plan(AllLabels)), "test_the_loss_of_a_padded_batch", "loss"),
    "its names are another's": Fault(
        checks(plan(Tagger, names="classifier.{p}")), "test_the_tensors_of_its_own", "would have the same names"
    ),
    "nothing fills it": Fault(checks(plan(Tagger, fill=nothing)), AT_ONCE, "fills the new head"),
    "there is no docstring": Fault(
        checks(plan(Undescribed)), "test_it_says_what_it_is", "Undescribed has no docstring"
    ),
    "there is no summary": Fault(checks(plan(Tagger), summary=""), "test_it_says_what_it_is", "has no summary"),
    "the target is no plan": Fault(
        checks(Tagger), AT_ONCE, "stands for an object .* which is no tfx_core.model.HeadPlan"
    ),
    "nobody asks for what it serves": Fault(
        checks(plan(Tagger), serves=("token-clasification",)),
        "test_it_serves_the_tasks",
        "no task asks for one of these",
    ),
}
SOUND = checks(plan(Tagger), serves=("token-classification",))
