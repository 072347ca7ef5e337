"""The kit finds what is wrong: each broken plugin fails the check of what is broken in it, which says what it is."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from tests.testing import faults
from tests.testing.faults import Fault

KINDS = [module.name for module in iter_modules([str(Path(faults.__file__).parent)])]
FAULTS: dict[str, Fault] = {
    f"{kind}: {name}": fault
    for kind in KINDS
    for name, fault in import_module(f"{faults.__name__}.{kind}").FAULTS.items()
}


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


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found_and_told(name: str, tmp_path: Path) -> None:
    fault, reports = FAULTS[name], Reports()
    kind, _, own = name.partition(": ")
    settings = tmp_path / "pytest.ini"  # none of those of this repository
    settings.write_text("[pytest]\naddopts = --import-mode=importlib\n")
    (tmp_path / f"test_{[*FAULTS].index(name)}.py").write_text(  # a module of its own
        f"from tests.testing.faults.{kind} import FAULTS\nTestBroken = FAULTS[{own!r}].checks()\n"
    )
    options = ("-k", fault.check, "-c", str(settings), "-p", "no:cacheprovider")
    pytest.main([str(tmp_path), *options], [reports])
    assert reports.failed, f"{fault.check} passes ({reports.passed} times)"
    said = "\n".join(reports.failed)
    assert re.search(fault.said, said), said
    assert "Where " in said.partition(f"Check {fault.check}")[2]  # what was to hold, and what usually breaks it


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 10
