"""Weights of fewer bits, computed by FBGEMM, which needs no more than AVX2 and reads them packed.

Its layers read and give float32. Int8 follows Jacob et al. 2018, https://arxiv.org/abs/1712.05877: a scale for each
output channel, and here one for each token, so that what a token becomes does not depend on others in its batch.
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.nn.linears.base import PackedLinear

_STEPS = 255
"""From the least to the greatest number of a token."""

_LEVELS = 127
"""Of a weight, on either side of zero."""

_LEVELS_OF_TWO = (2**15 - 1) // _STEPS - 1e-4
"""Of two neighbours of a row together, where the products of both are added in 16 bits.

What is less than the integer is more than quotients are rounded by, or two that end in a half could both round up.
"""

_PIECE = 1024
"""Output channels that are rounded at once."""

_TINY = torch.finfo(torch.float32).tiny

_ALONE = Lock()
"""Held while torch's engine, which is that of all threads, is another: who came between would put that back."""


class Int8Linear(PackedLinear):
    """Weights of 8 bits, each output channel with a scale of its own; what is read is rounded token by token."""

    is_exact = False

    def __init__(self, weight: Tensor, bias: Tensor | None, adds_in_16_bits: bool) -> None:
        super().__init__(weight, bias)
        rounded, scales, sums = _rounded(weight.detach(), adds_in_16_bits)
        self._minus_sums = -sums * scales
        zeros = torch.zeros(len(weight), dtype=torch.long)
        with _fbgemm():
            whole = torch._make_per_channel_quantized_tensor(rounded, scales.double(), zeros, 0)
            del rounded  # of three copies at once, one too many
            self._packed = torch.ops.quantized.linear_prepack(whole, self._constant_bias)
        # infinite is what forbids an output; without it there is nothing to take away
        self._finite_bias = None if self._constant_bias is None else torch.nan_to_num(self._constant_bias)

    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        traced = torch._C._get_tracing_state() is not None  # torch.jit.trace would keep the numbers of its token
        is_one = not traced and x.numel() == self.in_features and x.dim() > 1
        y = self._of_one(x) if is_one else None
        if y is not None:
            return y
        return self._of_several(x.reshape(-1, self.in_features)).view(*x.shape[:-1], self.out_features)

    def _of_one(self, row: Tensor) -> Tensor | None:
        """``(…, D) -> (…, D')`` of one token, by numbers that Python has; ``None`` where they are none.

        A step of decoding has little else to do, so that every call counts.
        """
        least, most = torch.aminmax(row)
        low = min(least.item(), 0.0)
        step = max((max(most.item(), 0.0) - low) / _STEPS, _TINY)
        if not math.isfinite(step):
            return None
        return _product(row, step, round(-low / step), self._packed)

    def _of_several(self, rows: Tensor) -> Tensor:
        """``(R, D) -> (R, D')``."""
        low, high = rows.amin(1, keepdim=True).clamp_(max=0), rows.amax(1, keepdim=True).clamp_(min=0)
        step = high.sub_(low).div_(_STEPS).clamp_(min=_TINY)
        zero = low.div_(step).neg_().round_()
        # the kernel has one scale for all rows, so that each is counted in steps first
        counts = torch.addcmul(zero, rows, step.reciprocal())
        y = _product(counts, 1.0, 0, self._packed).addcmul_(zero, self._minus_sums)
        bias = self._constant_bias
        if bias is None or self._finite_bias is None:
            return y.mul_(step)
        return torch.addcmul(bias, y.sub_(self._finite_bias), step, out=y)

    @property
    def weight(self) -> Tensor:
        """``(D', D)``, rounded."""
        with _fbgemm():
            weight: Tensor = torch.ops.quantized.linear_unpack(self._packed)[0].dequantize()
        return weight


_product: Callable[[Tensor, float, int, object], Tensor] = (
    torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default._op
)
"""``(…, D)``, rounded to steps of a scale above ``-zero · scale``, times packed weights, and their bias: ``(…, D')``.

It is called without what `torch.ops` does before, looking for what only stands for packed weights: a quarter of the
time of a short call.
"""


def _rounded(weight: Tensor, adds_in_16_bits: bool) -> tuple[Tensor, Tensor, Tensor]:
    """A weight ``(D', D)`` of any type in 8 bits, and of each output channel the scale and the sum, piece by piece."""
    rounded = torch.empty(weight.shape, dtype=torch.int8)
    scales, sums = torch.empty(2, len(weight)).unbind()
    for first in range(0, len(weight), _PIECE):
        piece = slice(first, first + _PIECE)
        rows = weight[piece].float()
        scales[piece] = _scales(rows, adds_in_16_bits)
        counts = (rows / scales[piece, None]).round_()
        rounded[piece] = counts
        sums[piece] = counts.sum(1)
    return rounded, scales, sums


def _scales(weight: Tensor, adds_in_16_bits: bool) -> Tensor:
    """The step of each output channel, ``(D',)``.

    Without VNNI the products of two neighbours are added in 16 bits, which must not overflow whatever is read. Fewer
    levels for those channels alone whose neighbours need it cost less than fewer steps for all tokens.
    """
    scales = weight.abs().amax(1) / _LEVELS
    if adds_in_16_bits:
        pairs = F.pad(weight, (0, weight.shape[1] % 2))
        together = pairs[:, ::2] + pairs[:, 1::2]  # of two signs less than the greater one, which has its levels
        scales = torch.maximum(scales, together.abs_().amax(1) / _LEVELS_OF_TWO)
    return scales.clamp_(min=_TINY)


class HalfLinear(PackedLinear):
    """Weights of 16 bits (binary16), computed in float32."""

    is_exact = False

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight, bias)
        with _fbgemm():
            self._packed = torch.ops.quantized.linear_prepack_fp16(weight.detach().float(), self._constant_bias)

    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        y: Tensor = torch.ops.quantized.linear_dynamic_fp16(x.reshape(-1, self.in_features), self._packed)
        return y.view(*x.shape[:-1], self.out_features)

    @property
    def weight(self) -> Tensor:
        """``(D', D)``, rounded."""
        with _fbgemm():
            weight: Tensor = torch.ops.quantized.linear_unpack_fp16(self._packed)[0]
        return weight


class _Fbgemm:
    dtype: ClassVar[torch.dtype] = torch.float32
    table_dtype: ClassVar[torch.dtype] = torch.float16

    def missing(self) -> str | None:
        """FBGEMM."""
        there = "fbgemm" in torch.backends.quantized.supported_engines
        return None if there else "this torch was built without FBGEMM, which is for processors of x86 with AVX2"


@dataclass(frozen=True)
class Int8(_Fbgemm):
    """The kernel of `Int8Linear`; on a processor without VNNI weights have fewer levels, and results are less exact."""

    def pack(self, weight: Tensor, bias: Tensor | None) -> Int8Linear:
        """A layer of a weight ``(D', D)`` and a bias ``(D',)``."""
        has_vnni = torch.cpu._is_avx512_supported() and torch.cpu._is_vnni_supported()
        return Int8Linear(weight, bias, adds_in_16_bits=not has_vnni)


@dataclass(frozen=True)
class Half(_Fbgemm):
    """The kernel of `HalfLinear`."""

    def pack(self, weight: Tensor, bias: Tensor | None) -> HalfLinear:
        """A layer of a weight ``(D', D)`` and a bias ``(D',)``."""
        return HalfLinear(weight, bias)


@contextmanager
def _fbgemm() -> Iterator[None]:
    """With FBGEMM as the maker of packed weights, and without what torch says of the tensors that it takes."""
    quantized = torch.backends.quantized
    with _ALONE:
        before, quantized.engine = quantized.engine, "fbgemm"
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "torch.quantize_per_tensor, torch.quantize_per_channel")
                yield
        finally:
            quantized.engine = before
