"""Conditions on an output, and how far a text has met them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from tfx_core.errors import InputError


@runtime_checkable
class Constraint(Protocol):
    """Something that an output must contain, met by a number of tokens in a row.

    It keeps no state: ``done`` are the tokens that have met part of it so far.
    """

    @property
    def length(self) -> int:
        """The most tokens that it can take."""
        ...

    def following(self, done: tuple[int, ...]) -> Sequence[int]:
        """The tokens that go on after ``done``; none when it is met."""
        ...


class ForcedWords:
    """One of several token sequences must occur, of which none begins another."""

    def __init__(self, alternatives: Sequence[Sequence[int]]) -> None:
        self.alternatives = tuple(tuple(int(token) for token in each) for each in alternatives)
        self.length = max((len(each) for each in self.alternatives), default=0)
        if not self.alternatives or not all(self.alternatives):
            raise InputError(f"forced words {self.alternatives}: must be token sequences, none of them empty")
        self._following: dict[tuple[int, ...], tuple[int, ...]] = {}
        for word in self.alternatives:
            for end in range(len(word)):
                after = self._following.setdefault(word[:end], ())
                if word[end] not in after:
                    self._following[word[:end]] = (*after, word[end])
        for word in self.alternatives:
            if word in self._following or self.alternatives.count(word) > 1:
                raise InputError(f"forced words: {list(word)} begins another of the alternatives, or is given twice")

    def following(self, done: tuple[int, ...]) -> Sequence[int]:
        """The tokens with which some alternative goes on."""
        return self._following.get(done, ())


class PhrasalConstraint(ForcedWords):
    """A token sequence must occur."""

    def __init__(self, token_ids: Sequence[int]) -> None:
        super().__init__([token_ids])


class DisjunctiveConstraint(ForcedWords):
    """One of several token sequences must occur, of which none begins another."""

    def __init__(self, nested_token_ids: Sequence[Sequence[int]]) -> None:
        super().__init__(nested_token_ids)


@dataclass(frozen=True)
class ConstraintProgress:
    """How far a text has met all its constraints; works on one at a time.

    A token that breaks the one being worked on is not looked at again, neither as its beginning nor as another's: as in
    transformers 4.51, ``a a b`` does not meet ``a b``.
    """

    constraints: tuple[Constraint, ...]
    pending: tuple[int, ...]
    """Numbers of constraints that are not begun."""
    current: int | None = None
    """Number of the one that is."""
    done: tuple[int, ...] = ()
    """Its tokens so far."""
    met: int = 0
    """How many are met."""

    @classmethod
    def begin(cls, constraints: Sequence[Constraint]) -> "ConstraintProgress":
        """Nothing is met."""
        return cls(tuple(constraints), tuple(range(len(constraints))))

    @property
    def complete(self) -> bool:
        """Whether all are met."""
        return self.met == len(self.constraints)

    @property
    def bank(self) -> int:
        """A measure of the progress: of two texts the one with the greater is further."""
        longest = max(each.length for each in self.constraints)
        if self.current is None:
            return self.met * longest
        return self.met * longest + longest - (self.constraints[self.current].length - len(self.done))

    def following(self) -> list[int]:
        """The tokens that make progress."""
        if self.current is not None:
            return list(self.constraints[self.current].following(self.done))
        return [token for number in self.pending for token in self.constraints[number].following(())]

    def after(self, token: int) -> "ConstraintProgress":
        """The progress with one more token."""
        if self.current is not None:
            if token in self.constraints[self.current].following(self.done):
                return self._advanced(self.current, token)
            return replace(self, current=None, done=(), pending=(*self.pending, self.current))
        for number in self.pending:
            if token in self.constraints[number].following(()):
                rest = tuple(each for each in self.pending if each != number)
                return replace(self, pending=rest)._advanced(number, token)
        return self

    def _advanced(self, number: int, token: int) -> "ConstraintProgress":
        done = (*self.done, token)
        if self.constraints[number].following(done):
            return replace(self, current=number, done=done)
        return replace(self, current=None, done=(), met=self.met + 1)
