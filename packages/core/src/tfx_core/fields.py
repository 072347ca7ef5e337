"""Fields of checked dataclasses: the types that annotations use, and how a value is checked against one."""

import types
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from tfx_core.errors import ConfigError

__all__ = ["Between", "Count", "Positive", "Rate", "Size", "checked", "hints", "plain"]

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"


@dataclass(frozen=True)
class Between:
    """Bounds, both included, of a number in a configuration."""

    low: float
    high: float = float("inf")

    def __str__(self) -> str:
        return f"at least {self.low:g}" if self.high == float("inf") else f"from {self.low:g} to {self.high:g}"


Size: TypeAlias = Annotated[int, Between(1)]
"""A number of things of which there is at least one."""
Count: TypeAlias = Annotated[int, Between(0)]
"""A number of things, or an id."""
Rate: TypeAlias = Annotated[float, Between(0, 1)]
"""A probability, such as a dropout."""
Positive: TypeAlias = Annotated[float, Between(0)]
"""A real number that is not negative, such as an epsilon or a standard deviation."""
_hints_of: dict[type, dict[str, Any]] = {}


def hints(kind: type) -> dict[str, Any]:
    """The annotation of every field of a dataclass."""
    if kind not in _hints_of:
        found = get_type_hints(kind, include_extras=True)
        _hints_of[kind] = {each.name: found[each.name] for each in fields(kind)}
    return _hints_of[kind]


def plain(value: Any) -> Any:
    """The JSON form of a field."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def checked(value: Any, hint: Any, name: str) -> Any:
    """The value as the annotation wants it, or `ConfigError` with name, value and what is allowed."""
    converted = _converted(value, hint)
    if converted is _REFUSED:
        raise ConfigError(f"{name}={value!r}: must be {_described(hint)}")
    return converted


_REFUSED: Any = object()


def _converted(value: Any, hint: Any) -> Any:
    """The value as the annotation wants it, or ``_REFUSED``; JSON lists become tuples, digit keys become integers."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        converted = _converted(value, arguments[0])
        in_bounds = converted is not _REFUSED and all(bound.low <= converted <= bound.high for bound in arguments[1:])
        return converted if in_bounds else _REFUSED
    if origin in (Union, types.UnionType):
        options = (_converted(value, option) for option in arguments)
        return next((converted for converted in options if converted is not _REFUSED), _REFUSED)
    if origin is Literal:
        return value if isinstance(value, str | int) and value in arguments else _REFUSED
    if origin is tuple:
        return _converted_sequence(value, arguments)
    if origin is dict:
        return _converted_mapping(value, *arguments)
    if hint is float:
        # JSON has one kind of number: 1 is as good as 1.0
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else _REFUSED
    if hint is int and isinstance(value, bool):
        return _REFUSED
    return value if (value is None and hint is types.NoneType) or isinstance(value, hint) else _REFUSED


def _converted_sequence(value: Any, arguments: tuple[Any, ...]) -> Any:
    if not isinstance(value, list | tuple):
        return _REFUSED
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        return _REFUSED
    items = tuple(_converted(item, hint) for item, hint in zip(value, arguments, strict=True))
    return _REFUSED if any(item is _REFUSED for item in items) else items


def _converted_mapping(value: Any, key_hint: Any, value_hint: Any) -> Any:
    if not isinstance(value, dict):
        return _REFUSED
    items = {}
    for key, item in value.items():
        if key_hint is int and isinstance(key, str) and key.isascii() and key.isdigit():
            key = int(key)
        key, item = _converted(key, key_hint), _converted(item, value_hint)
        if key is _REFUSED or item is _REFUSED:
            return _REFUSED
        items[key] = item
    return items


def _described(hint: Any) -> str:
    """What an annotation allows, in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{_described(arguments[0])} {arguments[1]}"
    if origin in (Union, types.UnionType):
        return " or ".join(_described(option) for option in arguments)
    if origin is Literal:
        return "one of " + ", ".join(repr(option) for option in arguments)
    if origin is tuple:
        items = arguments[:-1] if arguments[-1] is Ellipsis else arguments
        return f"a list of {', '.join(_described(item) for item in items)}"
    if origin is dict:
        return f"an object of {_described(arguments[0])} to {_described(arguments[1])}"
    names = {int: "an integer", float: "a number", bool: "true or false", str: "a string", types.NoneType: "null"}
    return names.get(hint, str(hint))
