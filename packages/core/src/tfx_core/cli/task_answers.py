"""The inputs of ``tfx-core run`` with their results: one that cannot be used keeps no other from being answered."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import click

from tfx_core.cli.flags import in_flags
from tfx_core.cli.output import say
from tfx_core.cli.task_inputs import RunInputs, Unusable
from tfx_core.errors import InputError
from tfx_core.tasks import ItemError, Task
from tfx_core.tasks.base import Progress, Result
from tfx_core.tasks.batching import chunks

_SHOWN = 20
"""Inputs without an answer that are told one by one."""


def answers(task: Task[Any, Any, Any], inputs: RunInputs, progress: Progress) -> Iterator[tuple[object, Result]]:
    """Each input and its result, in order; `Unusable` stands for a result that could not be had.

    Raises `InputError` for the first such input of a strict run, and where no line can be one by the task's options.
    """
    if inputs.texts:
        task.check_texts(task.options)
    first = 0
    for chunk in chain([[]], chunks(inputs.values)):  # the empty one lets mistakes in options show before any input
        usable = [(first + place, value) for place, value in enumerate(chunk) if not isinstance(value, Unusable)]
        results = iter(_results(task, usable, inputs, progress))
        for value in chunk:
            yield value, value if isinstance(value, Unusable) else next(results)
        first += len(chunk)


def _results(
    task: Task[Any, Any, Any], numbered: Sequence[tuple[int, object]], inputs: RunInputs, progress: Progress
) -> list[Result]:
    """The results of inputs of these numbers.

    A task refuses all that it takes together for one input, which it names: those before it and halves of those behind
    it are asked for again.
    """
    results: list[Result] = []
    waiting: list[Sequence[tuple[int, object]] | Unusable] = [numbered]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Unusable):
            results.append(part)
            progress(1)
            continue
        done = len(results)
        try:
            results += task.stream([value for _, value in part], progress=progress)  # what comes before an error stays
        except ItemError as error:
            reason = f"{inputs.place(part[error.index][0])}: {error.reason}"
            if inputs.strict:
                raise InputError(reason) from None
            before, behind = part[len(results) - done : error.index], part[error.index + 1 :]
            middle = len(behind) // 2
            waiting += filter(None, (behind[middle:], behind[:middle], Unusable(reason), before))
    return results


class Unanswered:
    """Counts the inputs without an answer, and tells of them at the end."""

    def __init__(self) -> None:
        self._reasons: list[str] = []
        self._count = 0

    def note(self, unusable: Unusable) -> str:
        """Take one in; gives its reason as whoever typed a command is told it."""
        reason = in_flags(unusable.reason, click.get_current_context().command)
        self._count += 1
        if self._count <= _SHOWN:
            self._reasons.append(reason)
        return reason

    def tell(self, total: int) -> None:
        """Raise `InputError` if there was any; several are told one a line before it."""
        if self._count == 1:
            raise InputError(self._reasons[0])
        for reason in self._reasons:
            say(reason, error=True)
        if self._count:
            others = "; the others do" if self._count < total else ""
            raise InputError(f"{self._count} of {total} inputs have no answer{others}")
