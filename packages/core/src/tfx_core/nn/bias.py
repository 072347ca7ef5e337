"""What is added to attention scores, as values that say what they mean; a kernel makes them dense only if it needs to.

Masks (`Window`, `Causal`, `Chunks`, `GlobalTokens`, `SameText`, `Allowed`) stay Boolean until all of them are together;
a `DenseBias` is a tensor of numbers; ``+`` puts biases together.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple, Self, TypeVar

import torch
from torch import Tensor

from tfx_core.errors import InputError

_Kept = TypeVar("_Kept")

_MOST = 10**9
"""Tokens; so many times as many are still an integer of torch's."""


class Scores(NamedTuple):
    """The scores that a bias is for."""

    queries: int
    keys: int
    dtype: torch.dtype
    device: torch.device


class Bias(ABC):
    """Something to add to scores ``(B, H, T, S)``."""

    _made: tuple[tuple[Scores, bool], Tensor] | None = None
    _last_kept: tuple[tuple[Hashable, bool], Any] | None = None
    _recorded: bool = False
    """Whether it came to be while a compiler recorded."""

    def __new__(cls, *parts: object, **named: object) -> Self:
        """What is recorded knows itself; what is not has no more attributes than before."""
        made = super().__new__(cls)
        if torch.compiler.is_compiling():
            made._recorded = True
        return made

    def dense(self, query: Tensor, key: Tensor) -> Tensor:
        """For queries ``(B, H, T, d)`` and keys ``(B, G, S, d)``, broadcastable to ``(B, H, T, S)``.

        It is made once and kept, for all layers of a stack share it: do not write into it.
        """
        return self.made(Scores(query.shape[2], key.shape[2], query.dtype, query.device))

    def made(self, scores: Scores) -> Tensor:
        """The numbers for these scores, made the first time."""
        if torch.compiler.is_compiling() and not self._recorded:
            return self.make(scores)  # what compiled layers kept for each other would be compiled once more
        # what was made without gradients, as checkpointing may do, has none to give
        wanted = scores, torch.is_grad_enabled()
        made = self._made  # once: another thread may make another
        if made is None or made[0] != wanted:
            self._made = made = wanted, self.make(scores)
        return made[1]

    def kept(self, of: Hashable, make: Callable[[], _Kept]) -> _Kept:
        """What a kernel makes of it instead, by which it knows it again; made once, too."""
        wanted = of, torch.is_grad_enabled()
        last = self._last_kept
        if last is None or last[0] != wanted:
            self._last_kept = last = wanted, make()
        kept: _Kept = last[1]
        return kept

    @abstractmethod
    def make(self, scores: Scores) -> Tensor:
        """The numbers, broadcastable to ``(B, H, T, S)``."""

    def __add__(self, other: "Bias") -> "Bias":
        return Sum((*terms_of(self), *terms_of(other)))


class Mask(Bias):
    """Some pairs of query and key that may attend, out of all."""

    @abstractmethod
    def allowed(self, scores: Scores) -> Tensor:
        """Boolean, broadcastable to ``(B, H, T, S)``."""

    def make(self, scores: Scores) -> Tensor:
        """Zero where attention is allowed, else a very negative number."""
        return additive(self.allowed(scores), scores.dtype)


class PlacedMask(Mask):
    """A mask that is known by the places of queries and keys, so that some pairs can be asked for without the others.

    A place is the number of a key; the queries are the last of the keys, or all of them.
    """

    @abstractmethod
    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        """For queries at places ``(B|1, …, T)`` and keys at places ``(B|1, …, S)``, ``(B|1, …, T, S)``."""

    def allowed(self, scores: Scores) -> Tensor:
        """Boolean ``(B|1, 1, T, S)``."""
        places = torch.arange(scores.keys, device=scores.device)[None, None]
        return self.at(places[..., scores.keys - scores.queries :], places)


class Window(PlacedMask):
    """Each query sees the keys from ``before`` steps before itself to ``after`` steps after; ``None`` is no bound.

    A step is ``dilation`` places, and what lies between is not seen (Beltagy et al. 2020, §3.1). The queries are the
    last of the keys, or all of them.
    """

    def __init__(self, before: int | None, after: int | None, *, dilation: int = 1) -> None:
        for name, reach in {"before": before, "after": after}.items():
            check_number("Window", name, 0 if reach is None else reach, 0)
        check_number("Window", "dilation", dilation, 1)
        self.before = before
        self.after = after
        self.dilation = dilation

    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Of distances alone: where places are counted from does not matter."""
        ahead = keys[..., None, :] - queries[..., None]
        allowed = ahead % self.dilation == 0
        allowed = allowed if self.after is None else allowed & (ahead <= self.after * self.dilation)
        return allowed if self.before is None else allowed & (ahead >= -self.before * self.dilation)

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


class Chunks(PlacedMask):
    """Keys are cut into chunks of ``length``: a query sees its own, ``before`` ones before it and ``after`` ones after.

    The queries are the last of the keys, or all of them (Kitaev et al. 2020, local attention of the released code).
    """

    def __init__(self, length: int, before: int, after: int) -> None:
        for name, number, least in (("length", length, 1), ("before", before, 0), ("after", after, 0)):
            check_number("Chunks", name, number, least)
        self.length = length
        self.before = before
        self.after = after

    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Of places counted from where a chunk begins."""
        ahead = keys[..., None, :] // self.length - queries[..., None] // self.length
        return (ahead >= -self.before) & (ahead <= self.after)


@dataclass(eq=False)
class GlobalTokens(PlacedMask):
    """A window, and tokens that every query sees, wherever they stand (Beltagy et al. 2020, §3.1)."""

    window: Window
    tokens: Tensor
    """Boolean ``(B|1, S)``: which of the keys are global."""
    both: bool = True
    """Whether global tokens see every key, too, as queries; else they see what others in their place do."""

    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Of distances, and of what is global at these places."""
        allowed = self.window.at(queries, keys) | taken(self.tokens, keys)[..., None, :]
        return allowed | taken(self.tokens, queries)[..., None] if self.both else allowed

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
class SameText(PlacedMask):
    """Hides from each other the texts that a row is packed of."""

    texts: Tensor
    """``(B|1, S)``, a number for each key, the same in one text; the queries are the last of the keys, or all."""

    def at(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Of the texts of these places."""
        return taken(self.texts, queries)[..., None] == taken(self.texts, keys)[..., None, :]


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


def taken(table: Tensor, places: Tensor) -> Tensor:
    """What a table ``(B|1, S)`` says of places ``(B|1, …)``: ``(B|1, …)``."""
    if len(places) == 1:
        return table[:, places[0]]
    return table.expand(len(places), -1).gather(1, places.flatten(1)).view(places.shape)


def check_number(mask: str, name: str, number: int, least: int) -> None:
    """Raise `InputError` for a number of tokens that is none."""
    if not least <= number <= _MOST:
        raise InputError(f"{mask}: {name}={number}: must be from {least} to {_MOST}")


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


def terms_of(bias: Bias) -> tuple[Bias, ...]:
    """What a bias is the sum of: itself, where it is no `Sum`."""
    return bias.terms if isinstance(bias, Sum) else (bias,)
