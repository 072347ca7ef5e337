"""What a search is narrowed by: the conditions of a `Where`, checked, and those that a command line writes."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from operator import ge, gt, le, lt
from typing import Any, TypeAlias

from tfx_core.embedding import Where
from tfx_core.errors import InputError, shown
from tfx_retrieval.passage_file import is_metadata

Value: TypeAlias = str | int | float | bool

BOUNDS: Mapping[str, Callable[[Any, Any], Any]] = {"at_least": ge, "above": gt, "at_most": le, "below": lt}

TYPES = {str: "text", bool: "true or false", int: "number", float: "number"}
"""What the values of metadata are called; a field may have values of several."""

_SIGNS = {">=": "at_least", ">": "above", "<=": "at_most", "<": "below"}
_SETTING = re.compile(r"(?P<field>[^<>=]+?)\s*(?P<sign>>=|<=|>|<|=)\s*(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """What holds of one field: it has one of some values, or it keeps to bounds."""

    name: str
    any_of: Sequence[Value] = ()
    bounds: Mapping[str, Value] = field(default_factory=dict)

    @property
    def types(self) -> set[str]:
        """The types of the values that are asked for."""
        return {TYPES[type(value)] for value in (*self.any_of, *self.bounds.values())}


def conditions_of(where: Where, fields: Mapping[str, Collection[str]] | None = None) -> list[Condition]:
    """The conditions of a `Where`.

    Raises `InputError` for what is no condition and, where the ``fields`` of the index and their types are known, for
    a field or a type that none of its passages has.
    """
    if not isinstance(where, Mapping):
        raise InputError(f"where: {shown(where)} is no mapping; give one from fields to values, lists or bounds")
    conditions = [_condition(name, asked) for name, asked in where.items()]
    for condition in conditions if fields is not None else ():
        _check_known(condition, fields or {})
    return conditions


def _condition(name: str, asked: object) -> Condition:
    if isinstance(asked, Mapping):
        return Condition(name, bounds=_bounds(name, asked))
    given = list(asked) if isinstance(asked, list | tuple | set | frozenset) else [asked]
    values = [_checked(name, value) for value in given]
    if not values:
        raise InputError(f"where: {shown(name)} has an empty list; no passage could be found")
    return Condition(name, any_of=values)


def _bounds(name: str, asked: Mapping[str, Any]) -> Mapping[str, Value]:
    for bound, value in asked.items():
        if bound not in BOUNDS:
            raise InputError(f"where: {shown(name)} has the bound {shown(bound)}; there are {', '.join(BOUNDS)}")
        if isinstance(_checked(name, value), bool):
            raise InputError(f"where: {shown(name)} has the bound {value}; true and false have no order")
    if len({TYPES[type(value)] for value in asked.values()}) != 1:
        raise InputError(f"where: {shown(name)} has {shown(dict(asked))}; give bounds of one type, text or number")
    return asked


def _checked(name: str, value: Any) -> Value:
    if not is_metadata(value) or type(value) not in TYPES:
        raise InputError(
            f"where: {shown(name)} is compared with {shown(value)}; give a text, a number of 64 bits, true, false, a "
            f"list of these, or bounds ({', '.join(BOUNDS)})"
        )
    checked: Value = value
    return checked


def _check_known(condition: Condition, fields: Mapping[str, Collection[str]]) -> None:
    name = condition.name
    if name not in fields:
        near = get_close_matches(str(name), fields, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ";"
        there = ", ".join(map(shown, sorted(fields))) or "none: no passage has metadata"
        raise InputError(f"where: no passage has a field {shown(name)}{hint} there are: {there}")
    if strange := sorted(condition.types - set(fields[name])):
        held = " and ".join(sorted(fields[name]))
        raise InputError(f"where: {shown(name)} is compared with a {strange[0]}; its values are of type {held}")


def parsed_where(settings: Sequence[str], fields: Mapping[str, Collection[str]]) -> Where:
    """The `Where` of ``FIELD=VALUE``, ``FIELD>=VALUE``, ``>``, ``<=`` and ``<``.

    A field that is given several values by ``=`` has one of them. A value is text where the field has only texts; else
    what is a number, or true or false, is that. Raises `InputError` for anything else.
    """
    where: dict[str, Any] = {}
    for setting in settings:
        match = _SETTING.fullmatch(setting)
        if match is None:
            raise InputError(f"--where {setting!r}: give FIELD=VALUE, or >=, >, <=, < in the place of =")
        name, sign = match["field"].strip(), match["sign"]
        value = _parsed(match["value"], fields.get(name, ()))
        present = where.setdefault(name, [] if sign == "=" else {})
        if isinstance(present, list) != (sign == "="):
            raise InputError(f"--where {setting!r}: {name} has a value and bounds; give one or the other")
        if isinstance(present, list):
            present.append(value)
        elif _SIGNS[sign] in present:
            raise InputError(f"--where {setting!r}: {name} has two bounds {sign}; give one")
        else:
            present[_SIGNS[sign]] = value
    return where


def _parsed(text: str, types: Collection[str]) -> Value:
    if set(types) == {"text"}:
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float) else text
