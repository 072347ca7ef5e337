"""Which heads can be fine-tuned, each with its objective, and which of them a task needs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tfx_core import TaskSpec
from tfx_core.errors import InputError, shown
from tfx_core.plugins import registry

if TYPE_CHECKING:
    from tfx_training.finetuning.tuning import FineTuning

TUNINGS = {
    "sequence-classification": "classes:Classes",
    "token-classification": "tags:Tags",
    "question-answering": "answers:Answers",
    "multiple-choice": "choices:Choices",
    "conditional-generation": "texts:Texts",
    "causal-lm": "completions:Completions",
}
"""Head -> where its objective is."""


def tuning_of(head: str) -> "type[FineTuning[Any]]":
    """The objective of a head; raises `InputError` that says which heads have one."""
    if head not in TUNINGS:
        raise InputError(f"head={shown(head)}: there is no fine-tuning of it; there is of {', '.join(TUNINGS)}")
    module, name = TUNINGS[head].split(":")
    found: type[FineTuning[Any]] = getattr(import_module(f"{__package__}.{module}"), name)
    return found


def head_of_task(task: str) -> str:
    """The head to train for a task; raises `UnknownNameError` for none, and `InputError` for one of no such head."""
    specs = [entry.spec for entry in registry.specs(TaskSpec)]
    name = next((spec.name for spec in specs if task in spec.aliases), task)
    heads = registry.find(TaskSpec, name).heads
    head = next((head for head in heads if head in TUNINGS), None)
    if head is None:
        raise InputError(
            f"task={shown(task)}: there is no fine-tuning of {', '.join(heads)}; there is of {', '.join(TUNINGS)}"
        )
    return head
