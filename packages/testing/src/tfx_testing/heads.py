"""What holds of a head that a plugin provides for architectures with a capability."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import tfx_core
from tfx_core.model import HeadPlan
from tfx_core.model.heads import Head
from tfx_core.plugins import HeadSpec, TaskSpec, registry
from tfx_testing import toy
from tfx_testing.architectures import ArchitectureChecks
from tfx_testing.cases import ArchitectureCase, Inputs
from tfx_testing.checks import arguments_of
from tfx_testing.toys import ToyChecks

_OF_TEXTS = ("fill-mask", "text-classification", "token-classification")
"""Tasks whose input is a text."""

_OF_LAYERS = (
    "test_layers_see_rows_where_that_is_asked_for",
    "test_what_is_computed_again_has_the_same_gradients",
)
"""Checks with every head of what is below it, which the toy has not."""

Labels = Callable[[str, Tensor, torch.Generator], Inputs | None]


class HeadChecks(ToyChecks, ArchitectureChecks):
    """Every check of one head: a test class names it, and what it learns from.

    It is checked on a toy encoder, or on the architecture of a ``case``, as a head of that architecture would be.

    >>> class TestCRF(HeadChecks):
    ...     head = "crf"
    ...     labels = staticmethod(lambda head, token_labels, generator: {"labels": token_labels.clamp(max=1)})
    """

    head: ClassVar[str]
    """Its name."""

    labels: ClassVar[Labels | None] = None
    """Its labels, as of `ArchitectureCase.labels`; ``None`` for a head without a loss, and for names that are known."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """Keys of the config besides, such as ``num_labels``."""

    @classmethod
    def is_declared(cls) -> bool:
        """With the name of a head."""
        if not hasattr(cls, "head"):
            return False
        registry.find(HeadSpec, cls.head)
        if "case" not in vars(cls):
            tiny = {"vocab_size": 40, "hidden_size": 24, "max_position_embeddings": 40, **cls.settings}
            case = ArchitectureCase("toy", tiny, compared_inputs=("token_type_ids",))
            cls.case = case if cls.labels is None else replace(case, labels=cls.labels)
        return True

    @classmethod
    def heads(cls) -> Sequence[str]:
        """The one."""
        return (cls.head,)

    @classmethod
    def is_of_this(cls, check: Any) -> bool:
        """What is checked of every head."""
        of_heads = {"head", "learning_head"} & {*arguments_of(check)} != set() and check.__name__ not in _OF_LAYERS
        return of_heads or check.__name__ in vars(HeadChecks)

    def test_it_says_what_it_is(self) -> None:
        """Its spec has a summary, and its class a docstring; its target is a plan of a head.

        Where it does not: add ``summary=`` to the `HeadSpec`, a docstring to the class, or point ``target=`` at a
        `tfx_core.model.HeadPlan`.
        """
        spec, plan = registry.find(HeadSpec, self.head), registry.load(HeadSpec, self.head)
        assert spec.summary, f"head {self.head!r} has no summary in its spec"
        assert isinstance(plan, HeadPlan), f"{spec.target} is a {type(plan).__name__}, not a HeadPlan"
        head = tfx_core.new_model(self.case.model_type, head=self.head, seed=0, **self.case.tiny).head
        assert isinstance(head, Head), f"{spec.target} builds a {type(head).__name__}, which is no Head"
        assert type(head).__doc__, f"{type(head).__name__} has no docstring"

    def test_the_tensors_of_its_own_have_names_of_their_own(self) -> None:
        """In a file its tensors have names that no tensor of a backbone or of another head of the architecture has.

        Where they have: choose names in the head's rules that begin with its own, as ``crf.{p}``.
        """
        spec = self.case.spec
        own = set(names_of_head(self.case, self.head))
        for other in spec.heads:
            shared = own & set(names_of_head(self.case, other))
            assert not shared, f"tensors of {self.head!r} and of {other!r} would have the same names: {sorted(shared)}"

    def test_it_serves_the_tasks_of_the_heads_that_it_stands_for(self, tmp_path: Path) -> None:
        """Where its spec says that it serves another head, a pipeline of that head's task runs with it.

        Where it does not: the head's output lacks what the task reads, such as ``logits`` of the other head's shape.
        """
        served = registry.find(HeadSpec, self.head).serves
        specs = [entry.spec for entry in registry.specs(TaskSpec) if set(entry.spec.heads) & set(served)]
        names = {spec.name for spec in specs}
        tasks = [spec.name for spec in specs if not names & set(spec.yields_to)]  # the others need labels of a meaning
        assert tasks or not served, f"head {self.head!r} serves {served}, and no task asks for one of these"
        for task in tasks if self.case.model_type == "toy" else ():
            run = tfx_core.pipeline(task, model=toy.save(tmp_path / task, self.head, **self.settings))
            if task in _OF_TEXTS:
                found = run(["bob lives in paris", "ann"])
                assert len(found) == 2, f"task {task!r} with {self.head!r} gave {len(found)} results of 2 texts"


def names_of_head(case: ArchitectureCase, head: str) -> list[str]:
    """Names in a file of the tensors that a head has beside its backbone's."""
    model = tfx_core.new_model(case.model_type, head=head, seed=0, **case.tiny)
    own = _storages(model.head) - _storages(model.backbone)
    return [name for name, tensor in model.state_dict_for_files().items() if tensor.untyped_storage().data_ptr() in own]


def _storages(module: nn.Module) -> set[int]:
    return {each.untyped_storage().data_ptr() for each in module.parameters()}
