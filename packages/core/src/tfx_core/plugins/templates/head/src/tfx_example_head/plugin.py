"""What this distribution provides, by name. What lists plugins imports this file: import no torch here."""

from tfx_core import HeadSpec, hookimpl

TFX_API = 1  # the level of the plugin protocol that this is written for


@hookimpl
def tfx_heads() -> list[HeadSpec]:
    """The head, for every architecture that has what it reads."""
    return [
        HeadSpec(
            "example-head",
            target="tfx_example_head.head:PLAN",
            capability="token-states",  # or "pooled-state": one state for each text
            serves=("sequence-classification",),  # heads that it can stand in for: their tasks take it
            summary="Classifies a text by a mean of its tokens' states with weights that are learnt",
        )
    ]
