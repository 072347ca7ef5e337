"""Looks on while a model computes: the weights that each attention used, and which of them its mask allowed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from tfx_core.nn import AttentionKernel, Bias, Observer
from tfx_core.nn.patterns import where_observed


@dataclass(frozen=True)
class Watched:
    """What one attention did in a call of one row."""

    record: list[Tensor]
    """Where it reported its weights, in whatever form its architecture has for them."""
    weights: Tensor
    """``(H, T, S)``, as the values were summed with them."""
    allowed: Tensor
    """Boolean ``(H, T, S)``."""
    queries: Tensor | None
    """``(T,)``, which tokens attended, where these are not all."""

    def with_queries_of(self, other: "Watched") -> "Watched":
        """The same, of some tokens what another attention of theirs did."""
        assert other.queries is not None
        weights, allowed = self.weights.clone(), self.allowed.clone()
        weights[:, other.queries] = other.weights
        allowed[:, other.queries] = other.allowed
        own = other.queries if self.queries is None else torch.cat((self.queries, other.queries))
        return replace(self, weights=weights, allowed=allowed, queries=own)


@dataclass
class _Onlooker(Observer):
    """Is shown what another observer is, and keeps what that makes of it."""

    shown: Observer = field(kw_only=True)
    weights: Tensor | None = field(default=None, init=False)

    def __call__(self, weights: Tensor) -> Tensor:
        self.used = True
        self.weights = self.shown(weights)
        return self.weights


def watched(kernel: AttentionKernel, notice: Callable[[Watched], object]) -> AttentionKernel:
    """The kernel, which lets every attention be noticed that reports its weights; of calls of one row without padding.

    Of a pattern the kernel that it bounds is watched.
    """

    def attend(
        kernel: AttentionKernel,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Bias | None,
        *,
        observer: Observer,
        **how: Any,
    ) -> Tensor:
        onlooker = _Onlooker(shown=observer)
        context = kernel(query, key, value, bias, observer=onlooker, **how)
        if onlooker.weights is not None and observer.record is not None:
            weights = onlooker.weights[0]
            allowed = _allowed(bias, query, key).expand(1, *weights.shape)[0]
            queries = None if observer.queries is None else observer.queries[0]
            notice(Watched(observer.record, weights, allowed, queries))
        return context

    return where_observed(kernel, attend)


def _allowed(bias: Bias | None, query: Tensor, key: Tensor) -> Tensor:
    """Boolean, broadcastable to ``(1, H, T, S)``: what the bias hides is far below whatever it adds to scores."""
    if bias is None:
        return torch.ones((), dtype=torch.bool, device=query.device)
    numbers = bias.dense(query, key)
    return numbers > torch.finfo(numbers.dtype).min / 8


def layers_of(seen: Iterable[Watched]) -> list[Watched]:
    """One for each layer and what it attends to: tokens with an attention of their own belong to the one before."""
    layers: list[Watched] = []
    for each in seen:
        if each.queries is not None and layers:
            layers[-1] = layers[-1].with_queries_of(each)
        else:
            layers.append(each)
    return layers
