"""What this distribution provides, by name. What lists plugins imports this file: import neither torch nor numpy."""

from tfx_core import ObjectiveSpec, hookimpl

TFX_API = 1  # the level of the plugin protocol that this is written for


@hookimpl
def tfx_objectives() -> list[ObjectiveSpec]:
    """The objective, of ``tfx-core pretrain --objective example-objective`` (tfx-training)."""
    return [
        ObjectiveSpec(
            "example-objective",
            target="tfx_example_objective.objective:ExampleObjective",
            architectures=("gpt2",),  # model types that learn by it; any other with its heads can, too
            summary="the rest of a text from its beginning, which is not learnt itself",
        )
    ]
