"""Every row of the table of habits is done: what is said to work works, and the rest says what it is called here."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.integration.habits.world import World
from tfx_core.habits import Habit
from tfx_core.habits.table import PLACES, as_markdown

Deed: TypeAlias = Callable[[World], object]

ROOT = Path(__file__).parents[3]
MODULES = ("calling", "commands", "configs", "encoding", "generating", "loading", "models", "pipelines", "text")
"""Of `tfx_core.habits`; each has a module of deeds here. Training is done with others' libraries, in tests/trainers."""
ELSEWHERE = ("training",)


def deeds() -> dict[tuple[str, str], Deed]:
    """Place and what is typed -> who types it; of what works a deed checks the result, of the rest it must raise."""
    found: dict[tuple[str, str], Deed] = {}
    for name in MODULES:
        module: Any = importlib.import_module(f"tests.integration.habits.{name}_deeds")
        assert not found.keys() & module.DEEDS.keys()
        found.update(module.DEEDS)
    return found


DEEDS = deeds()
ROWS = [(place, habit) for place, habits in PLACES.items() if place not in ELSEWHERE for habit in habits]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize(("place", "habit"), ROWS, ids=[f"{place}: {habit.theirs}" for place, habit in ROWS])
def test_a_habit_works_or_is_told(place: str, habit: Habit, world: World) -> None:
    deed = DEEDS[place, habit.theirs]
    if habit.works:
        deed(world)
        return
    with pytest.raises(Exception) as raised:  # noqa: PT011, whatever a user would get
        deed(world)
    assert habit.ours in str(raised.value)


def test_each_deed_is_a_row_of_the_table() -> None:
    assert DEEDS.keys() == {(place, habit.theirs) for place, habit in ROWS}


def test_each_is_typed_once_at_a_place() -> None:
    for habits in PLACES.values():
        assert len({habit.theirs for habit in habits}) == len(habits)


def test_the_page_shows_the_table() -> None:
    assert as_markdown() in (ROOT / "docs/coming-from-transformers.md").read_text(encoding="utf-8")
