"""Folders with toy models for the tests of tasks."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tfx_testing.toy import Plugin, save

Folder = Callable[..., str]


@pytest.fixture(autouse=True)
def toy() -> Iterator[None]:
    """The toy architecture is there for the time of a test."""
    with tfx_core.register(Plugin(), name="tfx-toy"):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A function that saves a random toy with a head."""

    def saved(head: str, **settings: Any) -> str:
        return save(tmp_path / f"{head}{len(list(tmp_path.iterdir()))}", head, **settings)

    return saved
