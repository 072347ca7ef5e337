"""An index is of one build for whoever opens it: beside a build, across one, and after one was killed."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.interference import READING, WRITING, before_each, killed_at
from tfx_core.checkpoint import atomic, journal
from tfx_core.embedding import Passage, PassageBatch, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import open_index, write_index, writing
from tfx_retrieval.flat import FlatKind


@pytest.fixture(autouse=True, params=["exchanged in one step", "in two steps"])
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, for a build that does not go on while it is waited for nor for the disk."""
    monkeypatch.setattr(journal, "_PATIENCE", 0.0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    if request.param == "in two steps":
        monkeypatch.setattr(atomic.ctypes, "CDLL", lambda name: object())


def save(folder: Path, number: int) -> None:
    count = (40, 60)[number]
    vectors = np.full((count, 8), number, np.float32)
    write_index([([Passage(str(number))] * count, vectors)], folder, dimension=8)


def saves_in(folder: Path) -> set[int]:
    """The builds that the vectors and the passages are of."""
    index = open_index(folder)
    rows = range(len(index))
    return {*map(int, index.vectors(rows).flat), *(int(passage.text) for passage in index.passages(rows))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "index", 0)
    return tmp_path / "index"


def test_a_reader_at_every_moment_of_a_build(folder: Path) -> None:
    seen: list[int | None] = []
    messages: set[str] = set()

    def look(call: int) -> None:
        try:
            (number,) = saves_in(folder)
            seen.append(number)
        except PassageIndexError as error:
            seen.append(None)
            messages.add(str(error))

    with before_each(WRITING, look):
        save(folder, 1)
    assert seen == sorted(seen, key=[0, None, 1].index)
    assert messages <= {f"{folder}: is being saved by another process; load it when that is done"}
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


def test_a_build_at_every_moment_of_a_reader(folder: Path) -> None:
    state, moments, built = 0, 0, True

    def build(call: int) -> None:
        nonlocal state, built
        if call == moments:
            save(folder, 1 - state)
            state, built = 1 - state, True

    while built:
        before, built = state, False
        with before_each(READING, build):
            found = saves_in(folder)
        assert found in ({before}, {state})
        moments += 1
    assert moments > 10


def test_a_build_that_is_killed_at_any_moment(folder: Path) -> None:
    seen = []
    for call in range(1000):
        if not killed_at(call, lambda: save(folder, 1)):
            break
        (number,) = saves_in(folder)
        seen.append(number)
        save(folder, 0)
        assert saves_in(folder) == {0}
        assert [path.name for path in folder.parent.iterdir()] == ["index"]
    assert seen == sorted(seen)
    assert {*seen} == {0, 1}


def test_what_came_into_the_folder_during_a_build_is_not_lost(folder: Path) -> None:
    def batches() -> Iterator[PassageBatch]:
        (folder / "notes.txt").write_text("mine")
        yield [Passage("1")], np.ones((1, 8), np.float32)

    with pytest.raises(InputError, match=r"also holds 'notes\.txt'"):
        write_index(batches(), folder, dimension=8)
    assert (folder / "notes.txt").read_text() == "mine"


def test_an_error_of_a_kind_names_the_folder_of_the_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(FlatKind):
        def write(self, folder: Path, vectors: Vectors, **others: object) -> None:
            raise InputError(f"{folder / 'vectors.npy'}: cannot be made")

    monkeypatch.setattr(writing, "kind_of", lambda name: Refusing())
    with pytest.raises(InputError) as caught:
        save(folder, 1)
    assert str(caught.value) == f"{folder}/vectors.npy: cannot be made"
