"""What there is on every machine: weights as they are, or rounded to 8 bits, computed by torch itself."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.nn.linears.base import PackedLinear


class ConstantLinear(PackedLinear):
    """A weight as it is."""

    is_exact = True

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        self._weight = weight.detach()

    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        return F.linear(x, self._weight, self._constant_bias)

    @property
    def weight(self) -> Tensor:
        """``(D', D)``."""
        return self._weight


class RoundedLinear(PackedLinear):
    """Weights of 8 bits, each output channel with a scale of its own; what is read is bfloat16, and not rounded."""

    is_exact = False

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        scales = (weight.float().abs().amax(1) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        self._rounded = (weight.detach().float() / scales[:, None]).round().to(torch.int8)
        self._scales = scales.to(weight.dtype)

    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        y = torch._weight_int8pack_mm(x.reshape(-1, self.in_features).contiguous(), self._rounded, self._scales)
        y = y if self._constant_bias is None else y + self._constant_bias
        return y.view(*x.shape[:-1], self.out_features)

    @property
    def weight(self) -> Tensor:
        """``(D', D)``, rounded."""
        return self._rounded * self._scales[:, None]


@dataclass(frozen=True)
class Constant:
    """The kernel of `ConstantLinear`; its type is that of its weights."""

    dtype: torch.dtype

    @property
    def table_dtype(self) -> torch.dtype:
        """The same."""
        return self.dtype

    def missing(self) -> None:
        """Nothing."""

    def pack(self, weight: Tensor, bias: Tensor | None) -> ConstantLinear:
        """A layer of a weight ``(D', D)`` and a bias ``(D',)``."""
        return ConstantLinear(weight, bias)


@dataclass(frozen=True)
class Rounded:
    """The kernel of `RoundedLinear`."""

    dtype: ClassVar[torch.dtype] = torch.bfloat16
    table_dtype: ClassVar[torch.dtype] = torch.bfloat16

    def missing(self) -> None:
        """Nothing."""

    def pack(self, weight: Tensor, bias: Tensor | None) -> RoundedLinear:
        """A layer of a weight ``(D', D)`` and a bias ``(D',)``."""
        return RoundedLinear(weight, bias)
