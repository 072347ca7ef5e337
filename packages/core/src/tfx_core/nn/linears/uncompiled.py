"""Packed layers in compiled code; importing this imports the compiler, which takes as long as torch itself."""

from collections.abc import Callable

import torch
from torch import Tensor

from tfx_core.nn.linears.base import PackedLinear


def _computed(linear: PackedLinear, x: Tensor) -> Tensor:
    return linear.computed(x)


# a compiler cannot read packed weights, and has nothing to add to their kernels
computed: Callable[[PackedLinear, Tensor], Tensor] = torch.compiler.disable(  # type: ignore[no-untyped-call]
    _computed, reason="a packed linear layer is computed by the kernel that packed it"
)
