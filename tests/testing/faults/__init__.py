"""Plugins that are wrong in one way each, by their kind, and what the kit says of each; `tests.testing.test_faults`."""

from collections.abc import Callable
from dataclasses import dataclass

from tfx_testing import Checks


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    checks: Callable[[], type[Checks]]
    """Makes the test class of what is wrong."""

    check: str
    """The check that fails."""

    said: str
    """A regular expression of what it says, by which one finds the fault."""
