"""Plugins that are wrong in one way each, by their kind, and what the kit says of each; `tests.testing.test_faults`."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

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


class Reports:
    """What pytest tells of the tests that it runs."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed
        if report.failed:
            self.failed.append(report.longreprtext)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(report.longreprtext)


def found_and_told(module: str, name: str, folder: Path) -> None:
    """Fail unless the check of a fault fails, and says what the fault is; ``name`` is its key in ``module.FAULTS``."""
    fault, reports = import_module(module).FAULTS[name], Reports()
    settings = folder / "pytest.ini"  # none of those of this repository
    settings.write_text("[pytest]\naddopts = --import-mode=importlib\n")
    own = re.sub(r"\W", "_", f"{module} {name}")
    (folder / f"test_{own}.py").write_text(  # a module of its own
        f"from {module} import FAULTS\nTestBroken = FAULTS[{name!r}].checks()\n"
    )
    options = ("-k", fault.check or "TestBroken", "-c", str(settings), "-p", "no:cacheprovider")
    pytest.main([str(folder), *options], [reports])
    assert reports.failed, f"{fault.check} passes ({reports.passed} times)"
    said = "\n".join(reports.failed)
    assert re.search(fault.said, said), said
    if fault.check:
        assert "Where " in said.partition(f"Check {fault.check}")[2]  # what was to hold, and what usually breaks it
