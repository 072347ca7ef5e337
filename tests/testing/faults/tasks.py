"""Tasks that are wrong in one way each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tests.core.tasks.counting import Counting, CountingOptions
from tests.testing.faults import Fault, broken
from tfx_core import TaskSpec, hookimpl
from tfx_core.tasks import Result, TextWindow, check_text
from tfx_testing import Checks, TaskChecks

Windows = Sequence[TextWindow]


class Sound(Counting):
    """The number of a text's tokens, refusing what is no text."""

    def parse(self, value: object, options: CountingOptions) -> str:
        return check_text(value)


class OnPadding(Sound):
    """Counts the columns of the batch."""

    def compute(self, batch: Mapping[str, Tensor], windows: Windows, options: CountingOptions) -> list[int]:
        return [batch["input_ids"].shape[1]] * len(windows)


class FirstColumns(Sound):
    """Takes the first columns of a row for its tokens."""

    def compute(self, batch: Mapping[str, Tensor], windows: Windows, options: CountingOptions) -> list[int]:
        rows = zip(batch["attention_mask"], windows, strict=True)
        return [int(mask[: len(window)].sum()) for mask, window in rows]


class OfTensors(Sound):
    """Gives tensors."""

    def decode(self, item: str, windows: Windows, rows: Sequence[int], options: CountingOptions) -> Result:
        return {"count": torch.tensor(rows[0])}


class Remembering(Sound):
    """Adds to each count those of all texts before it."""

    total = 0

    def decode(self, item: str, windows: Windows, rows: Sequence[int], options: CountingOptions) -> Result:
        type(self).total += rows[0]
        return {"count": self.total}


class TakingAnything(Sound):
    """Makes a text of what is none."""

    def parse(self, value: object, options: CountingOptions) -> str:
        return str(value)


class Dropping(Sound):
    """Drops the options that it does not know."""

    @classmethod
    def load(cls, model: Any, **options: Any) -> Any:
        return super().load(
            model, **{name: value for name, value in options.items() if name != "no_task_has_this_option"}
        )


class Outside(Sound):
    """Calls the model before there is a batch, with gradients."""

    def encode(self, items: Sequence[str], options: CountingOptions) -> list[list[TextWindow]]:
        rows = super().encode(items, options)
        for (window,) in rows:
            self.model(**self.collate([window]))
        return rows


class Undescribed(Sound):
    def parse(self, value: object, options: CountingOptions) -> str:
        return check_text(value)


class Greedy(Sound):
    """Takes the first of its inputs for granted."""

    def stream(self, inputs: Any, **options: Any) -> Iterator[Result]:
        first, *others = inputs
        return super().stream([first, *others], **options)


class Elsewhere(Sound):
    """Names another head than its spec."""

    heads = ("token-classification",)


class Plugin:
    """Provides one of them as ``"count"``."""

    def __init__(self, task: type[Counting], **said: Any) -> None:
        self.spec = TaskSpec("count", **{
            "target": f"{__name__}:{task.__name__}", "heads": ("backbone",), "summary": "counts tokens", **said
        })  # fmt: skip

    @hookimpl
    def tfx_tasks(self) -> list[TaskSpec]:
        return [self.spec]


def checks_of(task: type[Counting], **said: Any) -> Callable[[], type[Checks]]:
    """A test class of a task."""

    return broken(TaskChecks, Plugin(task, **said), task="count")


BATCHES = "test_results_depend_neither_on_neighbours_nor_on_batches"
FAULTS: dict[str, Fault] = {
    "counts padding": Fault(checks_of(OnPadding), BATCHES, r"results, batch_tokens=\d+\[\d+\]\['count'\]"),
    "looks for tokens in the first columns": Fault(
        checks_of(FirstColumns), "test_results_do_not_depend_on_the_side_of_padding", "padded on the left"
    ),
    "gives tensors": Fault(checks_of(OfTensors), "test_results_are_plain", r"\['count'\] is a Tensor"),
    "keeps something of each call": Fault(
        checks_of(Remembering), "test_a_list_gives_a_list_in_its_order", r"the results in reverse\[0\]\['count'\]"
    ),
    "takes anything": Fault(checks_of(TakingAnything), "test_a_bad_input_is_told_by_its_place", "DID NOT RAISE"),
    "drops options": Fault(checks_of(Dropping), "test_an_unknown_option_is_a_type_error", "DID NOT RAISE"),
    "calls the model with gradients": Fault(
        checks_of(Outside), "test_it_infers_and_leaves_torch_as_it_found_it", "called with gradients"
    ),
    "has no docstring": Fault(checks_of(Undescribed), "test_it_says_what_it_is", "Undescribed has no docstring"),
    "has no summary": Fault(checks_of(Sound, summary=""), "test_it_says_what_it_is", "has no summary"),
    "fails of nothing": Fault(checks_of(Greedy), "test_no_inputs_no_results", "not enough values to unpack"),
    "is another one in its spec": Fault(
        checks_of(Elsewhere), "test_it_is_registered_under_the_name_and_heads_of_its_class", "name and heads"
    ),
    "has an alias without an option": Fault(
        checks_of(Sound, aliases=("count_{twice}",)), "test_its_aliases_stand_for_it", "twice is no option of count"
    ),
}
