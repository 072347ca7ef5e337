"""Options of commands that train: one for each of the settings, and values by name."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Literal, TypeVar, get_args, get_origin

import click

from tfx_core.errors import InputError
from tfx_core.fields import Form, forms
from tfx_training.settings import TrainingSettings

Function = TypeVar("Function", bound=Callable[..., Any])


def training_flags(function: Function, others: Mapping[str, str] | None = None) -> Function:
    """Add an option for each field of `TrainingSettings`; `settings_of` reads their values.

    ``others`` are what help calls the defaults that a command has in the place of those.
    """
    for each in reversed(fields(TrainingSettings)):
        default = (others or {}).get(each.name, None if each.default is MISSING else each.default)
        function = _flag(each.name, forms(TrainingSettings)[each.name], default)(function)
    return function


def settings_of(values: Mapping[str, Any]) -> TrainingSettings:
    """The settings that options give, the others being as they are by default; raises `InputError`."""
    return TrainingSettings(**given_settings(values))


def given_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that options give."""
    names = {each.name for each in fields(TrainingSettings)}
    return {name: value for name, value in values.items() if name in names and value not in (None, ())}


def _flag(name: str, form: Form, default: Any) -> Callable[[Function], Function]:
    (kind,) = form.kinds
    flag = f"--{name.replace('_', '-')}"
    text = form.help
    if default not in (None, False, ()):
        text += f" [default: {' '.join(map(str, default)) if isinstance(default, tuple) else default}]"
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    if get_origin(kind) is Literal:
        return click.option(flag, name, type=click.Choice(get_args(kind)), help=text)
    if get_origin(kind) is tuple and get_args(kind)[-1] is ...:
        return click.option(flag, name, multiple=True, metavar="NAME", help=text)
    if get_origin(kind) is tuple:
        return click.option(flag, name, type=(float, float), help=text)
    return click.option(flag, name, type=kind, help=text)


class NamedValue(click.ParamType):  # type: ignore[type-arg]  # generic only in newer click
    """``name=value``, the value as JSON has it, or a string."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """As click has it."""
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        try:
            return name.replace("-", "_"), json.loads(text)
        except ValueError:
            return name.replace("-", "_"), text


def by_name(given: Sequence[tuple[str, Any]], flag: str) -> dict[str, Any]:
    """The values by their names; raises `InputError` for a name that is given twice."""
    values = dict(given)
    if len(values) < len(given):
        twice = next(name for name, _ in given if [each for each, _ in given].count(name) > 1)
        raise InputError(f"{flag} {twice}=…: given twice")
    return values
