"""The kit finds what is wrong: each broken plugin fails the check of what is broken in it, which says what it is."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from tests.testing import faults
from tests.testing.faults import Fault, found_and_told

KINDS = [module.name for module in iter_modules([str(Path(faults.__file__).parent)])]
FAULTS: dict[str, Fault] = {
    f"{kind}: {name}": fault
    for kind in KINDS
    for name, fault in import_module(f"{faults.__name__}.{kind}").FAULTS.items()
}


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_found_and_told(name: str, tmp_path: Path) -> None:
    kind, _, own = name.partition(": ")
    found_and_told(f"{faults.__name__}.{kind}", own, tmp_path)


def test_there_are_enough() -> None:
    assert len(FAULTS) >= 80
