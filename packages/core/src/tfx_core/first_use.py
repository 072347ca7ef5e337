"""Packages whose names are imported on first use (PEP 562), so that importing them is quick and needs no torch."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

__all__ = ["on_first_use"]


def on_first_use(
    package: str, homes: Mapping[str, str], public: Sequence[str], packages: Sequence[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``; ``homes`` says in which of its modules each name is.

    ``packages`` are those within it that are names of its own, ``tfx_core.collators``.
    """

    def get(name: str) -> object:
        if name in packages:
            return import_module(f"{package}.{name}")
        if name not in homes:
            raise _unknown(package, name, public)
        value: object = getattr(import_module(f"{package}.{homes[name]}"), name)
        vars(sys.modules[package])[name] = value  # the next access finds it without coming here
        return value

    def listed() -> list[str]:
        return sorted(public)

    return get, listed


def _unknown(package: str, name: str, public: Sequence[str]) -> Exception:
    """For a name that users of another library import, what says what to do instead."""
    from tfx_core.habits import hint, nearest
    from tfx_core.habits.classes import class_hint
    from tfx_core.habits.table import PLACES

    if package != "tfx_core" or name.startswith("_"):
        return AttributeError(f"module {package!r} has no attribute {name!r}")
    close = nearest(name, {*public, *(habit.theirs for habit in PLACES[package])})
    cure = hint(package, name) or class_hint(name) or (None if close is None else f"did you mean {close!r}?")
    if cure is None:
        return AttributeError(f"module {package!r} has no attribute {name!r}")
    # `from tfx_core import …` asks through importlib, and would lose the message of an AttributeError
    importing = sys._getframe(2).f_code.co_name == "_handle_fromlist"
    said = f"{package} has no {name!r}: {cure}"
    return ImportError(said, name=package) if importing else AttributeError(said)
