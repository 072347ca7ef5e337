"""Linear layers of inference on a CPU: kernels that pack weights once, and what puts them into a model."""

from tfx_core.nn.linears.base import LinearKernel, PackedLinear
from tfx_core.nn.linears.packing import (
    give_back_memory,
    is_plain,
    is_table,
    pack_linear,
    pack_linears,
    packed_layers,
    twin_with,
)
from tfx_core.nn.linears.shared import OneDnnLinear, for_inference

__all__ = [
    "LinearKernel",
    "OneDnnLinear",
    "PackedLinear",
    "for_inference",
    "give_back_memory",
    "is_plain",
    "is_table",
    "pack_linear",
    "pack_linears",
    "packed_layers",
    "twin_with",
]
