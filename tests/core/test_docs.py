"""The pages tell of files and names that there are."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WALKS = sorted(ROOT.glob("docs/*.md"))
PAGES = [
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("packages/*/README.md")),
]
CORE = ROOT / "packages/core/src/tfx_core"
PLACE = re.compile(r"([\w./]+\.py)(?:: ([A-Za-z_][\w.]*))?")
"""``model/loading.py: load_model``, or the file alone."""


def script(name: str) -> Any:
    """A script among the pages, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def places(text: str) -> list[str]:
    """What a page in code font says of files, whether or not it is spelled as a place should be."""
    return [code for code in re.findall(r"`([^`\n]+)`", text) if ".py" in code or re.match(r"[\w.]*/[\w./]*:", code)]


def file_of(path: str) -> Path:
    """Where a path of the notation leads: into the core, another package, or the tests."""
    if path.startswith("tests/"):
        return ROOT / path
    packages = [folder for folder in ROOT.glob("packages/*/src/*") if folder.name == path.partition("/")[0]]
    return packages[0].parent / path if packages else CORE / path


def names_in(body: list[ast.stmt]) -> Iterator[tuple[str, list[ast.stmt]]]:
    """What a module or a class defines itself, each with its own body."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield node.name, node.body
        elif isinstance(node, ast.FunctionDef):
            yield node.name, []
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((each.id, []) for each in targets if isinstance(each, ast.Name))


def fault(place: str) -> str | None:
    """What is wrong with a place, ``None`` where nothing is."""
    match = PLACE.fullmatch(place)
    if match is None:
        return "is not written as `file.py: Name`"
    file = file_of(match[1])
    if not file.is_file():
        return "there is no such file"
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for name in (match[2] or "").split(".") if match[2] else ():
        inner = [each for own, each in names_in(body) if own == name]
        if not inner:
            return f"there is no {name}"
        body = inner[-1]
    return None


@pytest.mark.parametrize("page", WALKS, ids=lambda page: page.name)
def test_every_file_and_name_of_a_page_is_there(page: Path) -> None:
    found = places(page.read_text(encoding="utf-8"))
    assert len(found) > 50 or page.name != "a-call-step-by-step.md"
    assert {place: said for place in found if (said := fault(place)) is not None} == {}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("model/loading.py: load_model", None),
        ("nn/span.py: Span.of", None),
        ("nn/span.py: Span.new", None),
        ("generation/engine.py: DECODERS", None),
        ("tfx_decoders/gpt2/model.py: build_backbone", None),
        ("tests/core/nn/test_seams.py: BandedAttention.attend", None),
        ("tests/core/nn/test_seams.py", None),
        ("model/loading.py: load_modle", "there is no load_modle"),
        ("nn/span.py: Span.off", "there is no off"),
        ("nn/span.py: of", "there is no of"),
        ("nn/spam.py: Span.of", "there is no such file"),
        ("tfx_decoders/gpt2/modle.py: build_backbone", "there is no such file"),
        ("tfx_decoder/gpt2/model.py: build_backbone", "there is no such file"),
        ("tfx_core/nn/span.py: Span.of", None),
        ("nn/span.py:Span.of", "is not written as `file.py: Name`"),
        ("nn/span: Span.of", "is not written as `file.py: Name`"),
    ],
)
def test_a_misspelled_place_is_noticed(place: str, said: str | None) -> None:
    assert places(f"| 1 | `{place}` | A step, `in words`, of `model(**batch)`. |") == [place]
    assert fault(place) == said


def test_the_map_of_the_core_has_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = re.search(r"^packages/core/src/tfx_core/\n((?:    .*\n)+)", text, re.MULTILINE)
    assert shown is not None
    rooms = {name for line in shown[1].splitlines() for name in re.findall(r"([\w/]+(?:/|\.py))(?=\s)", line)}
    there = {
        f"{each.parent.relative_to(CORE)}/" for each in CORE.glob("*/**/__init__.py") if "templates" not in each.parts
    }
    assert rooms == there | {each.name for each in CORE.glob("*.py") if not each.name.startswith("_")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_pictures_of_patterns_are_what_is_drawn_today() -> None:
    shown = dict(script("write_patterns").pictures())
    assert {*shown} == {*(ROOT / "docs/patterns").iterdir()}
    assert {file.name for file, picture in shown.items() if file.read_text(encoding="utf-8") != picture} == set(), (
        "python docs/write_patterns.py draws them"
    )
