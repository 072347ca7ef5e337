"""From the name of a task and a model to something to call."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx_core.errors import shown
from tfx_core.plugins import TaskSpec, registry
from tfx_core.tasks.base import Task

if TYPE_CHECKING:
    import torch

    from tfx_core.model.model import Model
    from tfx_core.nn import AttentionKernel
    from tfx_core.text import Tokenizer


def pipeline(
    task: str,
    *,
    model: "str | Path | Model",
    tokenizer: "str | Path | Tokenizer | None" = None,
    device: "str | torch.device | None" = None,
    dtype: "str | torch.dtype | None" = None,
    attention: "str | AttentionKernel | None" = None,
    revision: str | None = None,
    provider: str | None = None,
    **options: object,
) -> Task[Any, Any, Any]:
    """A task by its name, ready to call with a list of inputs; ``options`` become its defaults.

    ``model`` is a folder, a hub id, or a model that is loaded already, which needs a ``tokenizer``. Raises
    `UnknownNameError` naming the installed tasks, and what loading raises.
    """
    return load_task(task).load(
        model,
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        attention=attention,
        revision=revision,
        provider=provider,
        **options,
    )


def load_task(name: str) -> type[Task[Any, Any, Any]]:
    """The class that a task's name stands for; raises as `tfx_core.plugins.registry.load` does."""
    task = registry.load(TaskSpec, name)
    if not (isinstance(task, type) and issubclass(task, Task)):
        raise TypeError(f"the target of task {name!r} is {shown(task)}, not a subclass of tfx_core.Task")
    return task
