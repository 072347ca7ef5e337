"""Span-based dynamic convolution (Jiang et al. 2020, §3.2): a kernel for each token, made of it and its neighbours."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn import Allowed, SameText, Span, can_read


@dataclass(frozen=True)
class Line:
    """All tokens of a call in one line, with zeros between texts, so that no convolution reaches from one to another.

    A text ends before a token that attention does not see from its last one, or that does not see it.
    """

    reach: int
    """How many tokens a convolution sees to either side."""
    length: int
    places: Tensor
    """``(tokens,)``: where each token is, in the order of the call's layout; padding has a place behind all texts."""

    @classmethod
    def of(cls, span: Span, reach: int) -> "Line":
        """Of the tokens of a call."""
        real, begins = (span.layout.pack(each).flatten() for each in (span.new.dense_mask, _begins(span)))
        texts = span.new.batch
        if _cuts(span) is not None:
            texts = int(begins.sum()) if can_read(begins) else len(begins)
        length = len(real) + reach * (texts + 2) + 1
        places = real.cumsum(0) - 1 + reach * begins.cumsum(0)
        return cls(reach, length, places.where(real, length - 1 - reach))

    def lay(self, x: Tensor) -> Tensor:
        """Packed tokens ``(…, D)`` -> ``(length, D)``."""
        tokens = x.flatten(0, -2)
        return tokens.new_zeros(self.length, x.shape[-1]).index_copy(0, self.places, tokens)

    def pick(self, convolved: Tensor, x: Tensor) -> Tensor:
        """What is computed for each place that has neighbours, ``(length - 2 · reach, D)`` -> packed as ``x``."""
        return convolved.index_select(0, self.places - self.reach).view(*x.shape[:-1], convolved.shape[1])


def _begins(span: Span) -> Tensor:
    """Which tokens begin a text, ``(B, T)``."""
    real = span.new.dense_mask
    first, cuts = real & (real.cumsum(1) == 1), _cuts(span)
    return first if cuts is None else first | F.pad(cuts, (1, 0))


def _cuts(span: Span) -> Tensor | None:
    """Which tokens but the first do not see the one before them or are not seen by it, ``(B|1, T - 1)``, if any."""
    if isinstance(span.bias, SameText):
        return span.bias.texts[:, 1:] != span.bias.texts[:, :-1]
    if not isinstance(span.bias, Allowed) or span.new.mask is not None:  # where padding is told, it alone is hidden
        return None
    pairs = span.bias.pairs[:, 0]
    return ~(pairs.diagonal(1, 1, 2) & pairs.diagonal(-1, 1, 2))


class SeparableConvolution(nn.Module):
    """A convolution of each channel alone, then a layer over the channels, and a bias (Chollet 2017)."""

    def __init__(self, channel: nn.Conv1d, point: nn.Linear) -> None:
        super().__init__()
        self.channel = channel
        self.point = point
        self.bias = nn.Parameter(torch.empty(point.out_features))

    def forward(self, x: Tensor, line: Line) -> Tensor:
        """Packed tokens ``(…, D) -> (…, D')``."""
        # an image of one row, for that convolution takes its channels last, as the tokens have them
        row = line.lay(x).t()[None, :, None]  # (1, D, 1, length)
        row = F.conv2d(row, self.channel.weight[:, :, None], groups=self.channel.groups)
        y: Tensor = self.point(line.pick(row[0, :, 0].t(), x)) + self.bias
        return y


class SpanConvolution(nn.Module):
    """Each head sums the values around a token, weighted by a kernel made of its query and of the span around it."""

    def __init__(self, span: SeparableConvolution, kernel: nn.Linear, value: nn.Linear, heads: int) -> None:
        super().__init__()
        self.span = span
        self.kernel = kernel
        self.value = value
        self.heads = heads

    def forward(self, x: Tensor, query: Tensor, line: Line) -> Tensor:
        """Packed tokens ``(…, D)`` and queries ``(…, H·d)`` -> ``(…, H·d)``."""
        kernel = self._by_head(self.kernel(query * self.span(x, line))).softmax(-1)  # (…, H, k)
        centres = slice(line.reach, line.length - line.reach)
        kernels = self._by_head(line.lay(kernel.flatten(-2))[centres])  # (centres, H, k)
        values = self._by_head(line.lay(self.value(x)))  # (length, H, d)
        windows = values.unfold(0, 2 * line.reach + 1, 1)  # (centres, H, d, k), a view
        return line.pick((windows @ kernels[..., None]).flatten(1), query)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, x.shape[-1] // self.heads)  # (…, H·d) -> (…, H, d)
