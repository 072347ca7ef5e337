"""What this distribution provides, by name. What lists plugins imports this file: import no torch here."""

from tfx_core import TaskSpec, hookimpl

TFX_API = 1  # the level of the plugin protocol that this is written for


@hookimpl
def tfx_tasks() -> list[TaskSpec]:
    """The task, by the name that `tfx_core.pipeline` and ``tfx-core run`` know it by."""
    return [
        TaskSpec(
            "example-task",
            target="tfx_example_task.task:ExampleTask",
            heads=("causal-lm",),  # as the class has them; the preferred one first
            yields_to=("text-generation",),  # what a model with this head does where only the model is named
            summary="the tokens that are most likely to follow a text",
        )
    ]
