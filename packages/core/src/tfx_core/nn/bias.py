"""What is added to attention scores, as values that say what they mean; a kernel makes them dense only if it needs to.

Masks (`Window`, `Causal`, `Chunks`, `GlobalTokens`, `SameText`, `Allowed`) stay Boolean until all of them are together;
a `DenseBias` is a tensor of numbers; ``+`` puts biases together.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor


class Scores(NamedTuple):
    """The scores that a bias is for."""

    queries: int
    keys: int
    dtype: torch.dtype
    device: torch.device


class Bias(ABC):
    """Something to add to scores ``(B, H, T, S)``."""

    _made: tuple[tuple[Scores, bool], Tensor] | None = None

    def dense(self, query: Tensor, key: Tensor) -> Tensor:
        """For queries ``(B, H, T, d)`` and keys ``(B, G, S, d)``, broadcastable to ``(B, H, T, S)``.

        It is made once and kept, for all layers of a stack share it: do not write into it.
        """
        return self.made(Scores(query.shape[2], key.shape[2], query.dtype, query.device))

    def made(self, scores: Scores) -> Tensor:
        """The numbers for these scores, made the first time."""
        # what was made without gradients, as checkpointing may do, has none to give
        wanted = scores, torch.is_grad_enabled()
        if self._made is None or self._made[0] != wanted:
            self._made = wanted, self.make(scores)
        return self._made[1]

    @abstractmethod
    def make(self, scores: Scores) -> Tensor:
        """The numbers, broadcastable to ``(B, H, T, S)``."""

    def __add__(self, other: "Bias") -> "Bias":
        return Sum((*_terms(self), *_terms(other)))


class Mask(Bias):
    """Some pairs of query and key that may attend, out of all."""

    @abstractmethod
    def allowed(self, scores: Scores) -> Tensor:
        """Boolean, broadcastable to ``(B, H, T, S)``."""

    def make(self, scores: Scores) -> Tensor:
        """Zero where attention is allowed, else a very negative number."""
        return additive(self.allowed(scores), scores.dtype)


class Window(Mask):
    """Each query sees the keys from ``before`` steps before itself to ``after`` steps after; ``None`` is no bound.

    A step is ``dilation`` places, and what lies between is not seen (Beltagy et al. 2020, §3.1). The queries are the
    last of the keys, or all of them.
    """

    def __init__(self, before: int | None, after: int | None, *, dilation: int = 1) -> None:
        self.before = before
        self.after = after
        self.dilation = dilation

    def allowed(self, scores: Scores) -> Tensor:
        """Boolean ``(1, 1, T, S)``."""
        own = scores.keys - scores.queries  # the place of the first query
        allowed = torch.ones(scores.queries, scores.keys, dtype=torch.bool, device=scores.device)
        allowed = allowed if self.after is None else allowed.tril(own + self.after * self.dilation)
        allowed = allowed if self.before is None else allowed.triu(own - self.before * self.dilation)
        if self.dilation > 1:
            keys = torch.arange(scores.keys, device=scores.device)
            allowed &= (keys - keys[own:, None]) % self.dilation == 0
        return allowed[None, None]


class Causal(Window):
    """Each query sees itself and what came before."""

    def __init__(self) -> None:
        super().__init__(None, 0)


class Chunks(Mask):
    """Keys are cut into chunks of ``length``: a query sees its own, ``before`` ones before it and ``after`` ones after.

    The queries are the last of the keys, or all of them (Kitaev et al. 2020, local attention of the released code).
    """

    def __init__(self, length: int, before: int, after: int) -> None:
        self.length = length
        self.before = before
        self.after = after

    def allowed(self, scores: Scores) -> Tensor:
        """Boolean ``(1, 1, T, S)``."""
        chunks = torch.arange(scores.keys, device=scores.device) // self.length
        ahead = chunks - chunks[scores.keys - scores.queries :, None]  # (T, S)
        return ((ahead >= -self.before) & (ahead <= self.after))[None, None]


@dataclass(eq=False)
class GlobalTokens(Mask):
    """A window, and tokens that every query sees, wherever they stand (Beltagy et al. 2020, §3.1)."""

    window: Window
    tokens: Tensor
    """Boolean ``(B|1, S)``: which of the keys are global."""
    both: bool = True
    """Whether global tokens see every key, too, as queries; else they see what others in their place do."""

    def allowed(self, scores: Scores) -> Tensor:
        """Boolean ``(B|1, 1, T, S)``."""
        allowed = self.window.allowed(scores) | self.tokens[:, None, None]
        return allowed | self.tokens[:, None, -scores.queries :, None] if self.both else allowed


@dataclass(eq=False)
class Allowed(Mask):
    """What a tensor allows."""

    pairs: Tensor
    """Boolean, broadcastable to ``(B, H, T, S)``."""

    def allowed(self, scores: Scores) -> Tensor:
        """The tensor."""
        return self.pairs


@dataclass(eq=False)
class SameText(Mask):
    """Hides from each other the texts that a row is packed of."""

    texts: Tensor
    """``(B|1, S)``, a number for each key, the same in one text; the queries are the last of the keys, or all."""

    def allowed(self, scores: Scores) -> Tensor:
        """Boolean ``(B|1, 1, T, S)``."""
        return (self.texts[:, -scores.queries :, None] == self.texts[:, None])[:, None]


@dataclass(eq=False)
class DenseBias(Bias):
    """Numbers that are there already."""

    numbers: Tensor
    """Broadcastable to ``(B, H, T, S)``."""

    def make(self, scores: Scores) -> Tensor:
        """The tensor."""
        return self.numbers


@dataclass(eq=False)
class Sum(Bias):
    """Several biases; what one mask hides is hidden once, however many do."""

    terms: tuple[Bias, ...]

    def make(self, scores: Scores) -> Tensor:
        """All masks as one, and the numbers of the others."""
        masks = [term for term in self.terms if isinstance(term, Mask)]
        parts = [term.made(scores) for term in self.terms if len(masks) < 2 or not isinstance(term, Mask)]
        if len(masks) > 1:
            # as Booleans, for two very negative numbers might be infinite together
            allowed = (mask.allowed(scores) for mask in masks)
            parts.append(additive(reduce(torch.logical_and, allowed), scores.dtype))
        return reduce(torch.add, parts)


def together(biases: Iterable[Bias | None]) -> Bias | None:
    """The sum of those that are there."""
    given = [bias for bias in biases if bias is not None]
    return reduce(Bias.__add__, given) if given else None


def additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """Zero where attention is allowed, else half the lowest number of ``dtype``.

    Not minus infinity: a query that may see nothing, such as padding under a causal mask, would become NaN. Half, so
    that neither a bias nor autocast's narrower type makes it infinite.
    """
    lowest = torch.finfo(dtype).min / 2
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill(~allowed, lowest)


def _terms(bias: Bias) -> tuple[Bias, ...]:
    return bias.terms if isinstance(bias, Sum) else (bias,)
