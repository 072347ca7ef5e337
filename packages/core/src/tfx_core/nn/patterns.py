"""Patterns of attention that a user gives a model: which tokens of a text see which, whatever padding is between them.

A pattern is a `PlacedMask` whose places are those of a row's real tokens. It bounds the attention of a text to itself;
attention to a source is not bounded.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace

from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.fields import Count, Size, checked
from tfx_core.nn.bias import Allowed, Bias, Chunks, GlobalTokens, PlacedMask, Window, check_number, together
from tfx_core.nn.kernels import AttentionKernel, sdpa
from tfx_core.nn.observer import Observer
from tfx_core.nn.real_tokens import RealTokens


class FirstTokens(PlacedMask):
    """A window, and the first ``count`` tokens of every text, which all see and which see all (Beltagy et al. 2020)."""

    def __init__(self, window: Window, count: int) -> None:
        check_number("FirstTokens", "count", count, 1)
        self.window = window
        self.count = count

    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Of places counted from the first token."""
        first = (queries < self.count)[..., None] | (keys < self.count)[..., None, :]
        return self.window.at(queries, keys) | first


def window(before: int, after: int | None = None, *, dilation: int = 1) -> Window:
    """``window(128)``: each token sees 128 before and 128 after itself; ``window(128, 0)`` none after."""
    before = checked(before, Count, "window: before", InputError)
    after = before if after is None else checked(after, Count, "window: after", InputError)
    dilation = checked(dilation, Size, "window: dilation", InputError)
    if before == after == 0:
        raise InputError("window(0): a token would see only itself; give how many it sees on each side")
    return Window(before, after, dilation=dilation)


def first_tokens_global(before: int, after: int | None = None, *, first: int = 1, dilation: int = 1) -> FirstTokens:
    """``global(128, first=1)``: a window, and a first token that sees all and that all see."""
    return FirstTokens(window(before, after, dilation=dilation), checked(first, Size, "global: first", InputError))


def chunks(length: int, *, before: int = 1, after: int = 0) -> Chunks:
    """``chunks(64, before=1, after=0)``: each token sees the 64 of its own chunk, and those of one chunk before."""
    return Chunks(
        checked(length, Size, "chunks: length", InputError),
        checked(before, Count, "chunks: before", InputError),
        checked(after, Count, "chunks: after", InputError),
    )


@dataclass(frozen=True)
class Patterned:
    """A kernel that is to see a pattern alone: who makes an `AttentionCall` asks it for the bias (`by_pattern`)."""

    pattern: PlacedMask
    kernel: AttentionKernel = sdpa

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Bias | None,
        *,
        scale: float,
        dropout: float,
        observer: Observer | None,
    ) -> Tensor:
        """Raise `InputError`: queries and keys alone do not tell which of them are padding, nor of which text."""
        raise InputError(
            f"attention={type(self.pattern).__name__}: this model's attention takes no pattern, or has one of "
            "its own; give it a kernel, such as 'sdpa' (what asks tfx_core.nn.by_pattern takes patterns)"
        )

    def among(self, known: RealTokens, queries: int) -> Bias:
        """What the last ``queries`` of the ``known`` tokens may see of all."""
        counted = replace(known, given=None)
        if counted.distances_by_column:  # then columns will do, by which kernels compute less
            if isinstance(self.pattern, FirstTokens):
                first = (counted.positions < self.pattern.count) & counted.dense_mask
                return GlobalTokens(copy(self.pattern.window), first)
            if isinstance(self.pattern, Window) or _begin_at_once(counted):
                return copy(self.pattern)  # which keeps what is made for this call
        return _at(self.pattern, counted.positions[:, known.length - queries :], counted.positions)


def where_observed(kernel: AttentionKernel, attend: Callable[..., Tensor]) -> AttentionKernel:
    """The kernel, of which ``attend`` makes the calls that are observed: it is given the kernel, then what that takes.

    Of a pattern it is the kernel that it bounds.
    """
    if isinstance(kernel, Patterned):
        return replace(kernel, kernel=where_observed(kernel.kernel, attend))

    def call(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Bias | None,
        *,
        scale: float,
        dropout: float,
        observer: Observer | None,
    ) -> Tensor:
        if observer is None:
            return kernel(query, key, value, bias, scale=scale, dropout=dropout, observer=None)
        return attend(kernel, query, key, value, bias, scale=scale, dropout=dropout, observer=observer)

    return call


def by_pattern(
    kernel: AttentionKernel, bias: Bias | None, known: RealTokens, queries: int
) -> tuple[AttentionKernel, Bias | None]:
    """Kernel and bias of an `AttentionCall` of the last ``queries`` of the ``known`` tokens to all of them."""
    if not isinstance(kernel, Patterned):
        return kernel, bias
    return kernel.kernel, together((bias, kernel.among(known, queries)))


def by_pattern_at(
    kernel: AttentionKernel, bias: Bias | None, queries: Tensor, keys: Tensor
) -> tuple[AttentionKernel, Bias | None]:
    """The same of queries and keys at places ``(B|1, T)`` and ``(B|1, S)``, counted in a row's real tokens."""
    if not isinstance(kernel, Patterned):
        return kernel, bias
    return kernel.kernel, together((bias, _at(kernel.pattern, queries, keys)))


def without_pattern(kernel: AttentionKernel) -> AttentionKernel:
    """The kernel for attention to another text, which no pattern bounds."""
    return kernel.kernel if isinstance(kernel, Patterned) else kernel


def _at(pattern: PlacedMask, queries: Tensor, keys: Tensor) -> Bias:
    return Allowed(pattern.at(queries, keys)[:, None])


def _begin_at_once(known: RealTokens) -> bool:
    """Whether the first column of every row is a real token."""
    return known.mask is None or bool(known.mask[:, 0].all())
