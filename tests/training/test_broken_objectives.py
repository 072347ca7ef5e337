"""The kit finds what is wrong with an objective, and says what it is; one that is sound passes."""

from pathlib import Path

import pytest

from tests.testing.faults import found_and_told
from tests.training import broken_objectives

TestSound = broken_objectives.SOUND()
TestSound.__name__ = "TestSound"


@pytest.mark.parametrize("name", broken_objectives.FAULTS)
def test_it_is_found_and_told(name: str, tmp_path: Path) -> None:
    found_and_told(broken_objectives.__name__, name, tmp_path)
