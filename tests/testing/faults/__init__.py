"""Plugins that are wrong in one way each, by their kind, and what the kit says of each; `tests.testing.test_faults`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tfx_core
from tfx_testing import Checks

AT_ONCE = ""
"""In the place of a check: what is wrong is told where the test class is defined, before any check runs."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    checks: Callable[[], type[Checks]]
    """Makes the test class of what is wrong."""

    check: str
    """The check that fails, or `AT_ONCE`."""

    said: str
    """A regular expression of what it says, by which one finds the fault."""


def broken(base: type[Checks], plugin: object, **said: Any) -> Callable[[], type[Checks]]:
    """Makes a test class of what a plugin provides, which is registered while its checks run."""

    @contextmanager
    def surroundings(cls: type[Checks]) -> Iterator[None]:
        with tfx_core.register(plugin, name="tfx-broken"), super(cls, cls).surroundings():
            yield

    return lambda: type("TestBroken", (base,), {**said, "surroundings": classmethod(surroundings)})
