"""Packages whose names are imported on first use (PEP 562), so that importing them is quick and needs no torch."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def on_first_use(
    package: str, homes: Mapping[str, str], public: Sequence[str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``; ``homes`` says in which of its modules each name is."""

    def get(name: str) -> object:
        if name not in homes:
            raise _unknown(package, name)
        value: object = getattr(import_module(f"{package}.{homes[name]}"), name)
        vars(sys.modules[package])[name] = value  # the next access finds it without coming here
        return value

    def listed() -> list[str]:
        return sorted(public)

    return get, listed


def _unknown(package: str, name: str) -> Exception:
    """For a name that users of another library import, what says what to do instead."""
    from tfx_core.habits import hint
    from tfx_core.habits.classes import class_hint

    asked = package == "tfx_core" and not name.startswith("_")
    cure = (hint("tfx_core", name) or class_hint(name)) if asked else None
    if cure is None:
        return AttributeError(f"module {package!r} has no attribute {name!r}")
    # an AttributeError would lose its message in `from tfx_core import …`
    return ImportError(f"tfx_core has no {name!r}: {cure}")
