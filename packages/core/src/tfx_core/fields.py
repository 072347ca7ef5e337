"""Checked dataclasses: what the annotation of a field allows, how a value is checked against it, and both in words."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, fields
from functools import cache, cached_property
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, Union, get_args, get_origin, get_type_hints

from tfx_core.errors import ConfigError, InputError, TfxError, shown

__all__ = [
    "Above",
    "Between",
    "Bound",
    "Checked",
    "Count",
    "Epsilon",
    "Finite",
    "Form",
    "Help",
    "InWords",
    "NotEmpty",
    "Positive",
    "Rate",
    "Size",
    "checked",
    "forms",
]


Value: TypeAlias = Any
"""What JSON or a caller gives, and what it becomes; its type is what is checked here."""


class Bound(ABC):
    """A note in an annotation that allows some values of its type; ``str`` says which, after the name of the type."""

    @abstractmethod
    def allows(self, value: Value) -> bool:
        """Whether the value, which is of the type, is allowed."""


@dataclass(frozen=True)
class Between(Bound):
    """Bounds, both included, of a number or of each number in a list."""

    low: float
    high: float = float("inf")

    def allows(self, value: Value) -> bool:
        """Whether it lies between them."""
        return all(map(self.allows, value)) if isinstance(value, tuple) else bool(self.low <= value <= self.high)

    def __str__(self) -> str:
        return f"at least {self.low:g}" if self.high == float("inf") else f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Above(Between):
    """Bounds of which the lower one is excluded."""

    def allows(self, value: Value) -> bool:
        """Whether it lies between them and is not the lower one."""
        return super().allows(value) and value != self.low

    def __str__(self) -> str:
        return f"above {self.low:g}" + ("" if self.high == float("inf") else f" and at most {self.high:g}")


@dataclass(frozen=True)
class Finite(Bound):
    """A number that does not become infinite as a ``float32``, the type that models compute in."""

    def allows(self, value: Value) -> bool:
        """Whether it is in the range of the type."""
        return bool(abs(value) <= 2.0**127 * (2 - 2.0**-23))

    def __str__(self) -> str:
        return "and finite as a float32"


@dataclass(frozen=True)
class NotEmpty(Bound):
    """A string, list or mapping has something in it."""

    def allows(self, value: Value) -> bool:
        """Whether there is anything."""
        return len(value) > 0

    def __str__(self) -> str:
        return "that is not empty"


@dataclass(frozen=True)
class Help:
    """What an option does, in the words that ``--help`` shows."""

    text: str


@dataclass(frozen=True)
class InWords:
    """What is allowed, where the words made of the annotation would be hard to read."""

    text: str


class Nested(ABC):
    """A class whose instances are objects in JSON, such as a config that is part of another."""

    @classmethod
    @abstractmethod
    def from_object(cls, values: Mapping[str, Any]) -> Self:
        """Read such an object; raises `ConfigError` that begins with the key."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The contents of the object."""


Size: TypeAlias = Annotated[int, Between(1)]
"""A number of things of which there is at least one."""
Count: TypeAlias = Annotated[int, Between(0)]
"""A number of things, or an id."""
Rate: TypeAlias = Annotated[float, Between(0, 1)]
"""A probability, such as a dropout."""
Positive: TypeAlias = Annotated[float, Between(0), Finite()]
"""A real number that is not negative, such as a standard deviation."""
Epsilon: TypeAlias = Annotated[float, Between(0, 1)]
"""A small number that keeps a divisor from being zero."""


class Checked:
    """Base of dataclasses whose values are checked against the annotations when an instance is made.

    Lists become tuples, numbers plain ones of Python, objects of JSON what a `Nested` class reads. A value that does
    not fit raises ``error`` with name, value and what is allowed.
    """

    error: ClassVar[type[TfxError]] = ConfigError

    def __post_init__(self) -> None:
        for name, wanted in forms(type(self)).items():
            object.__setattr__(self, name, checked(getattr(self, name), wanted, name, self.error))


@dataclass(frozen=True)
class Form:
    """An annotation taken apart."""

    kinds: tuple[Any, ...]
    """Types of which a value may be; `None` aside."""
    optional: bool
    """Whether None is allowed as well."""
    notes: tuple[object, ...]
    """Bounds, help and words that apply to all of them, the outermost first."""

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """Those of the notes that allow some values only."""
        return tuple(note for note in self.notes if isinstance(note, Bound))

    @property
    def help(self) -> str:
        """The outermost `Help`, empty where there is none."""
        return next((note.text for note in self.notes if isinstance(note, Help)), "")


@cache
def form(hint: Any) -> Form:
    """Take an annotation apart: ``Annotated[Annotated[int, a] | None, b]`` is an optional integer with notes b, a."""
    optional, notes = False, ()
    while True:
        arguments = get_args(hint)
        if get_origin(hint) is Annotated:
            hint, notes = arguments[0], (*notes, *arguments[1:])
        elif get_origin(hint) in (Union, UnionType):
            kinds = tuple(kind for kind in arguments if kind is not NoneType)
            optional = optional or len(kinds) < len(arguments)
            if len(kinds) > 1:
                return Form(kinds, optional, notes)
            (hint,) = kinds
        else:
            return Form((hint,), optional, notes)


_forms_of: dict[type, Mapping[str, Form]] = {}


def forms(kind: type) -> Mapping[str, Form]:
    """The annotation, taken apart, of every field that a dataclass is made with."""
    if kind not in _forms_of:
        hints = get_type_hints(kind, include_extras=True)
        _forms_of[kind] = {each.name: form(hints[each.name]) for each in fields(kind) if each.init}
    return _forms_of[kind]


def plain(value: Value) -> Value:
    """The JSON form of a field."""
    if isinstance(value, Nested):
        return value.to_dict()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def checked(value: object, hint: Any, name: str, error: type[TfxError] = ConfigError, *, where: str = "") -> Value:
    """The value as the annotation wants it, or ``error`` with ``where``, name, value and what is allowed."""
    begin = f"{where}: {name}" if where else name
    try:
        return _converted(value, hint)
    except _RefusedError as refused:
        words = _IN_CALLS if issubclass(error, InputError) else _IN_FILES
        # the only entry need not be named
        entry = f"; {refused.entry} is not" if refused.entry and isinstance(value, Sized) and len(value) > 1 else ""
        raise error(f"{begin}={shown(value)}: must be {described(hint, words)}{entry}") from None
    except ConfigError as inner:  # of an object within this one
        raise error(f"{begin}.{inner}") from None


class _RefusedError(Exception):
    """A value does not fit an annotation; ``entry`` is what in a list or mapping does not, as Python writes it."""

    def __init__(self, entry: str | None = None) -> None:
        super().__init__(entry)
        self.entry = entry


def _converted(value: Value, hint: Any) -> Value:
    """The value as the annotation, or what it is taken apart, wants it; raises `_RefusedError`."""
    wanted = hint if isinstance(hint, Form) else form(hint)
    if value is None and wanted.optional:
        return None
    converted = _of_kind(value, wanted.kinds[0]) if len(wanted.kinds) == 1 else _of_one(value, wanted.kinds)
    if not all(bound.allows(converted) for bound in wanted.bounds):
        raise _RefusedError
    return converted


def _of_one(value: Value, kinds: Sequence[Any]) -> Value:
    entry = None
    for kind in kinds:
        try:
            return _converted(value, kind)
        except _RefusedError as refused:
            entry = refused.entry or entry
    raise _RefusedError(entry)


def _of_kind(value: Value, kind: Any) -> Value:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if kind in (int, float):
        return _number(value, kind)
    if origin is Literal and isinstance(value, str | int) and value in arguments:
        return value
    if origin in (tuple, Sequence) and isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _items(value, arguments if origin is tuple else (*arguments, ...))
    if origin in (dict, Mapping) and isinstance(value, Mapping):
        return {_entry(key, _key, arguments[0]): _entry(item, _converted, arguments[1]) for key, item in value.items()}
    if origin is None and isinstance(value, Mapping) and issubclass(kind, Nested):
        return kind.from_object(value)
    if origin is None and isinstance(value, kind):
        return value
    raise _RefusedError


def _number(value: Value, kind: Any) -> int | float:
    # JSON has one kind of number, 1 is as good as 1.0; true and false are none, and neither is NaN
    if isinstance(value, bool) or not isinstance(value, Integral if kind is int else Real) or value != value:
        raise _RefusedError
    try:
        number: int | float = kind(value)
    except OverflowError:  # an integer beyond all floats
        raise _RefusedError from None
    return number


def _items(values: Sequence[Value], kinds: tuple[Any, ...]) -> tuple[Value, ...]:
    if kinds[-1] is ...:
        kinds = kinds[:1] * len(values)
    if len(kinds) != len(values):
        raise _RefusedError
    return tuple(_entry(value, _converted, kind) for value, kind in zip(values, kinds, strict=True))


def _entry(value: Value, convert: Callable[[Value, Any], Value], hint: Any) -> Value:
    try:
        return convert(value, hint)
    except _RefusedError as refused:
        raise _RefusedError(refused.entry or shown(value)) from None


def _key(key: Value, hint: Any) -> Value:
    """A key as the annotation wants it; JSON writes integers as digits, each in one way: "00" is not 0."""
    if hint is int and isinstance(key, str) and _INTEGER.fullmatch(key):
        key = int(key)
    return _converted(key, hint)


_INTEGER = re.compile("0|-?[1-9][0-9]{0,18}")
_NUMBERS_AND_TEXT = {int: "an integer", float: "a number", str: "a string"}
_IN_FILES: Mapping[Any, str] = {**_NUMBERS_AND_TEXT, bool: "true or false", NoneType: "null"}
_IN_CALLS: Mapping[Any, str] = {**_NUMBERS_AND_TEXT, bool: "True or False", NoneType: "None"}


def described(hint: Any, words: Mapping[Any, str] = _IN_FILES) -> str:
    """What an annotation allows, in words: those of JSON, or of Python for what callers give."""
    wanted = hint if isinstance(hint, Form) else form(hint)
    allowed = next((note.text for note in wanted.notes if isinstance(note, InWords)), "")
    allowed = allowed or " ".join([_kinds_in_words(wanted.kinds, words), *map(str, wanted.bounds)])
    return f"{allowed}, or {words[NoneType]}" if wanted.optional else allowed


def _kinds_in_words(kinds: tuple[Any, ...], words: Mapping[Any, str]) -> str:
    if len(kinds) > 1 and all(kind is bool or get_origin(kind) is Literal for kind in kinds):
        choices = [choice for kind in kinds for choice in get_args(kind) or (True, False)]
        return f"one of {', '.join(map(repr, choices))}"
    if len(kinds) > 1:
        return " or ".join(described(kind, words) for kind in kinds)
    (kind,) = kinds
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin in (dict, Mapping):
        return f"an object of {described(arguments[0], words)} to {described(arguments[1], words)}"
    if origin is Sequence or arguments[1:] == (...,):
        return f"a list, each {described(arguments[0], words)}"
    if origin is tuple:
        return f"a list of {', '.join(described(item, words) for item in arguments)}"
    return words.get(kind) or ("an object" if issubclass(kind, Nested) else str(kind))
