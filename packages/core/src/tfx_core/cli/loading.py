"""The options of every command that loads a model to compute with: which one, in what, and where."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])


_OPTIONS: dict[str, Mapping[str, Any]] = {
    "--revision": {"metavar": "REVISION", "help": "Branch, tag or commit of a hub id."},
    "--provider": {"metavar": "NAME", "help": "Whose architecture, where several distributions give it."},
    "--device": {"metavar": "DEVICE", "help": "Where to compute: cpu, cuda, cuda:1, … [default: cpu]"},
    "--dtype": {"metavar": "DTYPE", "help": "Number type: float32, bfloat16, int8, …, auto. [default: float32]"},
    "--frozen/--no-frozen": {
        "default": None,
        "help": "Pack the weights once, as this CPU computes fastest with them. [default: for int8 alone]",
    },
}
"""None that is not given has a value."""


def loading_options() -> list[click.Option]:
    """The options, for a command that is made of parameters."""
    return [click.Option([name], **told) for name, told in _OPTIONS.items()]


def loading(function: _Function) -> _Function:
    """Add the options to the function of a command."""
    for name, told in reversed(_OPTIONS.items()):
        function = click.option(name, **told)(function)
    return function


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Those options that were given."""
    return {name: value for name, value in options.items() if value is not None}
