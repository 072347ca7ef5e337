"""Weights in blocks as oneDNN wants them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tfx_core.nn.linears.base import PackedLinear

_ROWS = 8
"""Tokens that the blocks are best for; they are good for 1 to 128."""


class BlockedLinear(PackedLinear):
    """Computed by oneDNN from a weight in blocks, as exactly as from a plain one."""

    is_exact = True

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        self._blocks: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _ROWS)

    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._blocks, self._constant_bias, "none", [], "")
        return y

    @property
    def weight(self) -> Tensor:
        """``(D', D)``."""
        return self._blocks.to_dense()


@dataclass(frozen=True)
class OneDnn:
    """The kernel; its type is that of its weights."""

    dtype: torch.dtype

    @property
    def table_dtype(self) -> torch.dtype:
        """The same."""
        return self.dtype

    def missing(self) -> str | None:
        """OneDNN, or the processor's instructions for the type."""
        mkldnn = torch.backends.mkldnn
        if not bool(mkldnn.is_available() and mkldnn.enabled):  # type: ignore[no-untyped-call]
            return "this torch was built without oneDNN, or has it switched off"
        if self.dtype is torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return "this processor has no instructions for bfloat16 (AVX-512 or AMX)"
        return None

    def pack(self, weight: Tensor, bias: Tensor | None) -> BlockedLinear:
        """A layer of a weight ``(D', D)`` and a bias ``(D',)``."""
        return BlockedLinear(weight, bias)
