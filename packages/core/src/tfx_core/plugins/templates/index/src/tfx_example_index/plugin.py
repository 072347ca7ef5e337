"""What this distribution provides, by name. What lists plugins imports this file: import neither torch nor numpy."""

from tfx_core import IndexSpec, hookimpl

TFX_API = 1  # the level of the plugin protocol that this is written for


@hookimpl
def tfx_indexes() -> list[IndexSpec]:
    """The kind of index, of ``tfx-core index build --index example-index`` (tfx-retrieval)."""
    return [
        IndexSpec(
            "example-index",
            target="tfx_example_index.index:KIND",
            summary="Every vector in 16 bits, half of the memory; all are compared",
        )
    ]
