"""What the core itself provides, through the same hooks as every other plugin."""

from tfx_core.hookspecs import hookimpl
from tfx_core.specs import AttentionSpec


@hookimpl
def tfx_attentions() -> list[AttentionSpec]:
    """The attention kernels of the core, the default first."""
    return [
        AttentionSpec("sdpa", target="tfx_core.nn.kernels:sdpa", summary="torch's fused attention; the default"),
        AttentionSpec("eager", target="tfx_core.nn.kernels:eager", summary="in separate steps, to read and to compare"),
    ]
