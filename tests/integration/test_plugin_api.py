"""What third parties may import stays as it was promised: the frozen list against today's code, and built wheels."""

import json
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tests import plugin_api
from tests.pages import python_blocks
from tests.plugin_api import HELD_BACK, LEVEL, WHEELS, breaches, imports_in, today
from tfx_core.errors import InputError
from tfx_testing import promised

CURE = (
    "It is promised to third parties at plugin API level 1, and their wheels are out there: keep the name and its "
    "parameters, and let them do what they did. What is new goes in beside it."
)
ROOT = WHEELS.parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "packages/core/README.md"]
WHEEL_IMPORTS: Mapping[str, Mapping[str, list[str]]] = json.loads(WHEELS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", promised(LEVEL))
def test_what_was_promised_is_there_and_as_it_was(module: str) -> None:
    found = breaches(module)
    assert not found, "\n".join([*found, CURE])


@pytest.mark.parametrize("module", HELD_BACK)
def test_what_is_public_is_promised_or_held_back(module: str) -> None:
    public = {name for name in import_module(module).__all__ if not name.startswith("__")}
    frozen = promised(LEVEL)[module].keys()
    undecided, stale = public - frozen - {*HELD_BACK[module]}, {*HELD_BACK[module]} - public
    assert not undecided, (
        f"{module}: {sorted(undecided)}: in __all__, and neither promised nor held back. For third parties, too: "
        "`python -m tests.plugin_api` adds them. For tfx's own distributions alone: HELD_BACK of tests/plugin_api.py"
    )
    assert not stale, f"{module}: {sorted(stale)}: held back, and not in __all__; take them out of HELD_BACK"
    assert not frozen & {*HELD_BACK[module]}


def test_new_members_and_parameters_are_promised_too() -> None:
    lacking = [
        f"{module}.{name}"
        for module, names in today(list(HELD_BACK)).items()
        for name, told in names.items()
        if promised(LEVEL)[module].get(name) != told
    ]
    assert not lacking, f"changed since they were promised: {lacking}; `python -m tests.plugin_api` notes how"


@pytest.mark.parametrize("wheel", WHEEL_IMPORTS)
def test_a_wheel_that_was_built_finds_what_it_imports(wheel: str) -> None:
    for module, names in WHEEL_IMPORTS[wheel].items():
        there = import_module(module)
        lost = [name for name in names if name != "*" and not hasattr(there, name)]
        assert not lost, f"{wheel} imports {lost} of {module}, which are gone. {CURE}"
        loose = [name for name in names if name not in promised(LEVEL).get(module, {})]
        assert not loose, f"{wheel} imports {loose} of {module}, which were never promised"


def test_every_example_is_among_the_wheels() -> None:
    examples = (ROOT / "examples/plugins").glob("*/pyproject.toml")
    names = {file.parent.name.replace("-", "_") for file in examples}
    assert names == {wheel.partition("-")[0] for wheel in WHEEL_IMPORTS}


def test_every_package_of_the_core_that_says_what_is_public_is_decided_on() -> None:
    core = Path(str(tfx_core.__file__)).parent
    said = {"tfx_core", *(f"tfx_core.{each.name}" for each in pkgutil.iter_modules([str(core)]) if each.ispkg)}
    public = {name for name in said if hasattr(import_module(name), "__all__")}
    assert public <= HELD_BACK.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_imports_is_promised(page: Path) -> None:
    imported = [each for block in python_blocks(page) for each in imports_in(block.source)]
    loose = {
        f"{module}.{name}" for module, name in imported if name != "*" and name not in promised(LEVEL).get(module, {})
    }
    assert not loose, f"{page.name} imports {sorted(loose)}, which may change: promise them, or show something else"


def test_a_level_that_there_is_not_is_an_error() -> None:
    with pytest.raises(InputError, match="level 7 of the plugin API: there is none"):
        promised(7)


# Every way to break a promise is noticed


def call(one: Any, two: Any, *, three: Any = 1) -> None:
    pass


def fewer(one: Any, *, three: Any = 1) -> None:
    pass


def stricter(one: Any, two: Any, *, three: Any) -> None:
    pass


def turned(two: Any, one: Any, *, three: Any = 1) -> None:
    pass


def asking(one: Any, two: Any, *, four: Any, three: Any = 1) -> None:
    pass


def between(one: Any, new: Any = 1, two: Any = 2, *, three: Any = 1) -> None:
    pass


def closed(one: Any, *, two: Any, three: Any = 1) -> None:
    pass


def wider(one: Any, two: Any = 1, three: Any = 1, *more: Any, four: Any = 2, **others: Any) -> None:
    pass


class Base:
    """Of `Wider`, which has what it inherits; members are of classes of tfx."""

    __module__ = "tfx_of_tests"

    value: int

    def told(self, one: Any) -> None:
        pass


class Wider(Base):
    __module__ = "tfx_of_tests"

    more: int = 0


class Lacking:
    __module__ = "tfx_of_tests"

    value: int


class Fixed:
    __module__ = "tfx_of_tests"

    value: int
    told = 3


@dataclass
class Fields:
    one: int
    two: int = 2


@dataclass
class MoreFields:
    one: int
    two: int = 2
    three: int = 3


@dataclass
class TurnedFields:
    two: int
    one: int = 1


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (call, call, None),
        (call, wider, None),
        (call, fewer, "its parameter 'two' is gone"),
        (call, stricter, "its parameter 'three' is required now"),
        (call, turned, "its parameters come in another order"),
        (call, asking, "its parameter 'four' is new and required"),
        (call, between, "its parameters come in another order"),
        (call, closed, "its parameter 'two' is given in another way"),
        (call, Base, "was a function and is a class"),
        (Base, Wider, None),
        (Base, Lacking, r"Base\.told is gone"),
        (Base, Fixed, r"Base\.told was '\(self, one\)' and is 'attribute'"),
        (Fields, MoreFields, None),
        (Fields, TurnedFields, "its fields were"),
        (MoreFields, Fields, "its fields were"),
    ],
)
def test_a_broken_promise_is_noticed(before: Any, after: Any, said: str | None) -> None:
    was, now = plugin_api.described(before), plugin_api.described(after)
    found = list(plugin_api._breaches("Base", was, now))
    if said is None:
        assert found == []
    else:
        assert any(re.search(said, each) for each in found), found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda told: told["members"].update(write="to define (self, folder, vectors, *, options)"), "no longer fit"),
        (lambda told: told["members"].pop("open"), "is new and must be defined"),
    ],
)
def test_what_others_define_is_asked_in_the_same_way(change: Callable[[Any], Any], said: str) -> None:
    from tfx_core.embedding import VectorKind

    was = plugin_api.described(VectorKind)
    change(was)
    assert any(said in each for each in plugin_api._breaches("VectorKind", was, plugin_api.described(VectorKind)))
