"""What this distribution provides, by name. What lists plugins imports this file: import no torch here."""

from tfx_core import AttentionSpec, hookimpl

TFX_API = 1  # the level of the plugin protocol that this is written for


@hookimpl
def tfx_attentions() -> list[AttentionSpec]:
    """The kernel, for every architecture: ``load_model(…, attention="example-attention")``."""
    return [
        AttentionSpec(
            "example-attention",
            target="tfx_example_attention.kernel:attend",
            # with example="example-attention(16)" the target is called with the 16, and gives a kernel
            summary="Each token looks at the 16 that suit it best",
        )
    ]
