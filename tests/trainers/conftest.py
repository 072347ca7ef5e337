"""A world of its own for each test, since models learn in it."""

from pathlib import Path

import pytest

from tests.trainers.learning import Trained


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    return Trained(tmp_path)
