"""One habit: what is typed, whether it works, and what it is called here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Becomes: TypeAlias = Callable[[Any], Mapping[str, Any]]
"""The value of their keyword -> our keywords in its place; raises `TfxError` for a value that has no counterpart."""


@dataclass(frozen=True)
class Habit:
    """A row of the table: made by `works` or by `told`."""

    theirs: str
    """As it is typed: ``torch_dtype=``, ``out[0]``, ``AutoModel``."""
    ours: str
    """Where it works, what it does here or another way to say it, may be empty; else what the error says."""
    works: bool
    becomes: Becomes | None = None
    """Of a keyword that is not one of ours."""

    @property
    def name(self) -> str:
        """The keyword or attribute alone."""
        return self.theirs.removesuffix("=")


def works(theirs: str, ours: str = "", becomes: Becomes | None = None) -> Habit:
    """A habit that works with the same meaning; ``becomes`` is for a keyword that is translated into ours."""
    return Habit(theirs, ours, True, becomes)


def told(theirs: str, ours: str, becomes: Becomes | None = None) -> Habit:
    """A habit that is an error, which says ``ours``: what to type instead, or why there is nothing.

    A keyword may be `needless` with a value that asks for nothing; any other is the error.
    """
    return Habit(theirs, ours, False, becomes)


def renamed(keyword: str) -> Becomes:
    """The same value under our keyword."""
    return lambda value: {keyword: value}


def unless_none(keyword: str) -> Becomes:
    """The same value under our keyword; None asks for what happens without it."""
    return lambda value: {} if value is None else {keyword: value}


def needless(*values: object) -> Becomes:
    """Nothing: with one of these values it asks for what happens anyhow; other ones are refused by `translated`."""

    def nothing(value: object) -> Mapping[str, Any]:
        if not any(value is each or (type(value) is type(each) and value == each) for each in values):
            raise NotNeedlessError
        return {}

    return nothing


class NotNeedlessError(Exception):
    """A value of a `needless` keyword that asks for something."""
