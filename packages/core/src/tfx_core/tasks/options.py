"""Options of a task, declared once as fields of a frozen dataclass.

The same declaration checks the keywords of a call (`read_options`) and gives ``tfx-core run`` its command-line options
(`describe_options`), so a third party's task has both by writing one class::

    @dataclass(frozen=True, kw_only=True)
    class FillMaskOptions(TaskOptions):
        top_k: Annotated[int, Between(1), Help("candidates for each mask")] = 5
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from tfx_core.errors import InputError
from tfx_core.fields import Between

OptionsT = TypeVar("OptionsT", bound="TaskOptions")

Scalar: TypeAlias = type[bool] | type[int] | type[float] | type[str]
_SCALARS: Mapping[Scalar, str] = {bool: "True or False", int: "an integer", float: "a number", str: "a string"}


@dataclass(frozen=True)
class Help:
    """What an option does, in the words that ``--help`` shows."""

    text: str


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Options that every task has."""

    batch_tokens: Annotated[
        int | None, Between(1), Help("tokens of one forward pass, padding included (default: what suits the device)")
    ] = None


@dataclass(frozen=True, kw_only=True)
class LengthOptions(TaskOptions):
    """What to do with texts that are longer than the model takes."""

    truncation: Annotated[bool, Help("cut texts that are longer than the model takes, instead of refusing them")] = (
        False
    )
    max_length: Annotated[int | None, Between(1), Help("cut texts to this many tokens")] = None


@dataclass(frozen=True)
class OptionDescription:
    """What a field of an options class says: enough to check a value and to build a command-line option."""

    name: str
    scalar: Scalar
    choices: tuple[str, ...]
    """The allowed strings of a ``Literal``; empty when any value of ``scalar`` is allowed."""
    switch: bool
    """Whether True and False are values beside those strings."""
    many: bool
    """Whether the value is a tuple of such scalars."""
    optional: bool
    """Whether None is a value."""
    default: object
    help: str
    bounds: Between | None

    def accepts(self) -> str:
        """What this option takes, in words, for messages."""
        kind = _SCALARS[self.scalar]
        if self.choices:
            kind = f"one of {', '.join([*(['True', 'False'] if self.switch else []), *map(repr, self.choices)])}"
        elif self.bounds is not None:
            kind = f"{kind} {self.bounds}"
        if self.many:
            kind = f"a list, each {kind}"
        return f"{kind}, or None" if self.optional else kind

    def check(self, value: object, owner: str) -> object:
        """``value`` as the options class holds it; `InputError` that says what ``owner``'s option accepts instead."""
        if value is None and self.optional:
            return None
        if not self.many:
            return self._check_scalar(value, owner)
        parts = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else value
        return tuple(self._check_scalar(part, owner) for part in parts)

    def _check_scalar(self, value: object, owner: str) -> object:
        if self.scalar is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if self.switch and isinstance(value, bool):
            return value
        # True and False are integers to Python and never to a user
        fits = isinstance(value, self.scalar) and isinstance(value, bool) == (self.scalar is bool)
        fits = fits and (not self.choices or value in self.choices)
        if fits and self.bounds is not None and isinstance(value, int | float):
            fits = self.bounds.low <= value <= self.bounds.high
        if not fits:
            raise InputError(f"{owner}: {self.name}={value!r} must be {self.accepts()}")
        return value


def describe_options(options_type: type[TaskOptions]) -> tuple[OptionDescription, ...]:
    """The options that ``options_type`` declares, its own before those that it inherits."""
    hints = get_type_hints(options_type, include_extras=True)
    inherited = {each.name for base in options_type.__bases__ if issubclass(base, TaskOptions) for each in fields(base)}
    ordered = sorted(fields(options_type), key=lambda each: each.name in inherited)
    return tuple(_described(each, hints[each.name], f"{options_type.__name__}.{each.name}") for each in ordered)


def read_options(base: OptionsT, values: Mapping[str, object], owner: str) -> OptionsT:
    """``base`` with ``values`` in place of its own: `TypeError` for a name it lacks, `InputError` for a bad value."""
    if not values:
        return base
    described = {each.name: each for each in describe_options(type(base))}
    unknown = [name for name in values if name not in described]
    if unknown:
        raise TypeError(f"{owner} has no option {', '.join(map(repr, unknown))}; it has {', '.join(sorted(described))}")
    checked: dict[str, Any] = {name: described[name].check(value, owner) for name, value in values.items()}
    return replace(base, **checked)


def _described(each: "Field[Any]", hint: object, where: str) -> OptionDescription:
    """Read ``T``, ``T | None``, ``tuple[T, ...]`` or ``tuple[T, ...] | None``.

    T is a scalar, a ``Literal`` of strings, or ``bool`` or such a ``Literal``.
    """
    if each.default is MISSING:
        raise TypeError(f"{where}: an option needs a default")
    notes: tuple[object, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        notes = tuple(extras)
    optional = many = switch = False
    if get_origin(hint) in (Union, UnionType):
        parts = [part for part in get_args(hint) if part is not NoneType]
        optional = len(parts) < len(get_args(hint))
        switch = len(parts) == 2 and bool in parts
        hint = next(part for part in parts if part is not bool) if switch else parts[0] if len(parts) == 1 else hint
    if get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,):
        many, hint = True, get_args(hint)[0]
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    scalar = next((scalar for scalar in _SCALARS if hint is scalar), str if choices else None)
    if scalar is None or not all(isinstance(choice, str) for choice in choices) or (switch and not choices):
        raise TypeError(f"{where}: an option is a bool, int, float, str or Literal of strings, not {hint!r}")
    text = next((note.text for note in notes if isinstance(note, Help)), "")
    bounds = next((note for note in notes if isinstance(note, Between)), None)
    return OptionDescription(each.name, scalar, choices, switch, many, optional, each.default, text, bounds)
