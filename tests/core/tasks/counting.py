"""A third party's task: counts tokens, as a model sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from tfx_core import TaskSpec, hookimpl
from tfx_core.fields import Between
from tfx_core.tasks import Help, Result, Task, TaskOptions, TextWindow, tokenize


@dataclass(frozen=True, kw_only=True)
class CountingOptions(TaskOptions):
    """How to count."""

    times: Annotated[int, Between(1, 9), Help("what to multiply the count with")] = 1
    fail: Annotated[bool, Help("fail in the midst of it")] = False


class Counting(Task[CountingOptions, str, int]):
    """The number of a text's tokens, as a model sees them."""

    name = "count"
    heads = ("backbone",)
    options_type = CountingOptions

    def parse(self, value: object, options: CountingOptions) -> str:
        return str(value)

    def encode(self, items: Sequence[str], options: CountingOptions) -> list[list[TextWindow]]:
        return [[window] for window in tokenize(self.model, self.tokenizer, items)]

    def compute(
        self, batch: Mapping[str, Tensor], windows: Sequence[TextWindow], options: CountingOptions
    ) -> list[int]:
        if options.fail:
            raise RuntimeError("something broke")
        return [int(count) for count in batch["attention_mask"].sum(-1)]

    def decode(self, item: str, windows: Sequence[TextWindow], rows: Sequence[int], options: CountingOptions) -> Result:
        return {"count": rows[0] * options.times}


class Plugin:
    """Provides the task."""

    @hookimpl
    def tfx_tasks(self) -> list[TaskSpec]:
        return [TaskSpec("count", target=f"{__name__}:Counting", heads=("backbone",), summary="counts tokens")]
