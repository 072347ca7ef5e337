"""Where the tokens of a batch lie in a tensor: the one place that knows padded from ragged."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import torch
from torch import Tensor

_packs = ContextVar("packs", default=True)

FEW_TOKENS = 8192
"""Where a GPU computes no more in half precision, it waits for its kernels to begin: packing only adds some."""


class Layout(Protocol):
    """Packs tokens for the position-wise modules, and splits and merges heads around the attention kernel."""

    def pack(self, x: Tensor) -> Tensor:
        """``(B, S, …)`` as the modules between the kernels see it."""
        ...

    def unpack(self, x: Tensor) -> Tensor:
        """The inverse of `pack`: ``(B, S, …)``; what padding holds is unspecified."""
        ...

    def split(self, x: Tensor, heads: int) -> Tensor:
        """Packed tokens of width ``H·d`` -> ``(B, H, S, d)``."""
        ...

    def merge(self, x: Tensor) -> Tensor:
        """``(B, H, S, d)`` -> packed tokens of width ``H·d``."""
        ...


class Padded:
    """Every row has the same number of tokens, padding included: ``(B, S, D)``."""

    def pack(self, x: Tensor) -> Tensor:
        """``(B, S, …)`` unchanged."""
        return x

    def unpack(self, x: Tensor) -> Tensor:
        """``(B, S, …)`` unchanged."""
        return x

    def split(self, x: Tensor, heads: int) -> Tensor:
        """``(B, S, H·d) -> (B, H, S, d)``."""
        return x.view(*x.shape[:-1], heads, -1).transpose(1, 2)

    def merge(self, x: Tensor) -> Tensor:
        """``(B, H, S, d) -> (B, S, H·d)``."""
        return x.transpose(1, 2).flatten(2)


PADDED = Padded()


class Ragged:
    """Only real tokens, row after row: ``(tokens, D)``; what is padding in ``mask`` ``(B, S)`` is computed nowhere."""

    def __init__(self, mask: Tensor) -> None:
        self.batch, self.length = mask.shape
        self.places = mask.flatten().nonzero().squeeze(-1)  # (tokens,)

    def pack(self, x: Tensor) -> Tensor:
        """``(B, S, …) -> (tokens, …)``; a batch of one stands for every row."""
        return x.expand(self.batch, *x.shape[1:]).flatten(0, 1).index_select(0, self.places)

    def unpack(self, x: Tensor) -> Tensor:
        """``(tokens, …) -> (B, S, …)`` with zeros as padding."""
        padded = x.new_zeros(self.batch * self.length, *x.shape[1:])
        return padded.index_copy(0, self.places, x).view(self.batch, self.length, *x.shape[1:])

    def split(self, x: Tensor, heads: int) -> Tensor:
        """``(tokens, H·d) -> (B, H, S, d)``."""
        return PADDED.split(self.unpack(x), heads)

    def merge(self, x: Tensor) -> Tensor:
        """``(B, H, S, d) -> (tokens, H·d)``."""
        return self.pack(PADDED.merge(x))


class Aligned(Ragged):
    """Only real tokens, and between the kernels each row begins with its first one, without gaps.

    So columns of ``(B, H, L, d)`` tell how far tokens are from each other; ``L`` is the most tokens of a row, or 1.
    """

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask)
        self._align(mask.sum(1))

    def _align(self, counts: Tensor) -> None:
        """Give each row so many of the tokens, in their order."""
        columns = max(int(counts.max()), 1)  # one of padding where there is nothing else
        self.aligned_mask = torch.arange(columns, device=counts.device) < counts[:, None]  # (B, L)
        self.aligned_places = self.aligned_mask.flatten().nonzero().squeeze(-1)  # (tokens,)

    def split(self, x: Tensor, heads: int) -> Tensor:
        """``(tokens, H·d) -> (B, H, L, d)``, zeros after the last token of a row."""
        rows = x.new_zeros(self.aligned_mask.numel(), x.shape[-1]).index_copy(0, self.aligned_places, x)
        return PADDED.split(rows.view(*self.aligned_mask.shape, -1), heads)

    def merge(self, x: Tensor) -> Tensor:
        """``(B, H, L, d) -> (tokens, H·d)``."""
        return PADDED.merge(x).flatten(0, 1).index_select(0, self.aligned_places)


class Apart(Aligned):
    """Rows without padding that are packed of texts: between the kernels each of these is a row of its own."""

    def __init__(self, texts: Tensor) -> None:
        """Of numbers ``(B, S)``, the same in one text."""
        super().__init__(torch.ones_like(texts, dtype=torch.bool))
        begins = torch.ones_like(self.aligned_mask)
        begins[:, 1:] = texts[:, 1:] != texts[:, :-1]
        self._align(begins.flatten().cumsum(0).bincount()[1:])


class Sorted:
    """Padding included, ``(B, S, D)``, but in every row the real tokens come first; no shape depends on the mask."""

    def __init__(self, mask: Tensor) -> None:
        self.order = true_first(mask)  # (B, S)
        self.aligned_mask = mask.gather(1, self.order)

    def pack(self, x: Tensor) -> Tensor:
        """``(B, S, …)`` in the order of the layout; a batch of one stands for every row."""
        return self._taken(x.expand(self.order.shape[0], *x.shape[1:]), self.order)

    def unpack(self, x: Tensor) -> Tensor:
        """``(B, S, …)`` in the order of the text."""
        return self._taken(x, self.order.argsort(dim=1))

    def split(self, x: Tensor, heads: int) -> Tensor:
        """``(B, S, H·d) -> (B, H, S, d)``."""
        return PADDED.split(x, heads)

    def merge(self, x: Tensor) -> Tensor:
        """``(B, H, S, d) -> (B, S, H·d)``."""
        return PADDED.merge(x)

    @staticmethod
    def _taken(x: Tensor, order: Tensor) -> Tensor:
        return x.gather(1, order.view(*order.shape, *(1 for _ in x.shape[2:])).expand(*order.shape, *x.shape[2:]))


class RowsPerSource:
    """Several rows for each source, such as its beams: they attend as one longer row, so nothing repeats the source.

    Tokens are packed as in ``layout``, ``B·rows`` rows of ``T``; the kernel sees ``(B, H, rows·T, d)``.
    """

    def __init__(self, rows: int, layout: Layout = PADDED) -> None:
        self.rows = rows
        self.layout = layout

    def pack(self, x: Tensor) -> Tensor:
        """``(B·rows, T, …)`` as the layout packs it."""
        return self.layout.pack(x)

    def unpack(self, x: Tensor) -> Tensor:
        """The inverse of `pack`: ``(B·rows, T, …)``."""
        return self.layout.unpack(x)

    def split(self, x: Tensor, heads: int) -> Tensor:
        """Packed tokens of width ``H·d`` -> ``(B, H, rows·T, d)``."""
        x = self.unpack(x)  # (B·rows, T, H·d)
        return PADDED.split(x.reshape(len(x) // self.rows, -1, x.shape[-1]), heads)

    def merge(self, x: Tensor) -> Tensor:
        """``(B, H, rows·T, d)`` -> packed tokens of width ``H·d``."""
        return self.pack(PADDED.merge(x).reshape(len(x) * self.rows, -1, x.shape[1] * x.shape[3]))


def true_first(mask: Tensor) -> Tensor:
    """Of Boolean ``(B, S)`` the columns of each row, first those where it is true, each kind in its order."""
    return mask.logical_not().long().argsort(dim=1, stable=True)


def packs(device: str, tokens: int) -> bool:
    """Whether a layout without padding is made here of so many tokens, padding included, on a kind of device."""
    return _packs.get() and (device == "cpu" or tokens > FEW_TOKENS)


@contextmanager
def padded_layouts() -> Iterator[None]:
    """Within, this thread computes padding, too: `RealTokens.layout` of every mask is `PADDED`."""
    before = _packs.set(False)
    try:
        yield
    finally:
        _packs.reset(before)
