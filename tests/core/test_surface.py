"""What others may import of the core: the ``__all__`` of its packages and of three modules, and nothing below them."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import tfx_core
from tests.pages import python_blocks

ROOT = Path(__file__).parents[2]
PUBLIC = (
    *("tfx_core", "tfx_core.errors", "tfx_core.fields", "tfx_core.first_use"),
    *(each.name for each in walk_packages(tfx_core.__path__, "tfx_core.") if each.ispkg),
)
"""Where names may be imported from; every other module is the core's own affair."""


def strangers() -> dict[str, str]:
    """Where -> Python source of everything here that uses the core from outside, a line of a page for a block of it."""
    files = [
        *ROOT.glob("packages/*/src/**/*.py"),
        *ROOT.glob("examples/**/*.py"),
        *ROOT.glob("benchmarks/**/*.py"),
    ]
    sources = {
        str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
        for file in files
        if "tfx_core" not in file.parts or "templates" in file.parts  # which become somebody's distributions
    }
    for readme in (ROOT / "README.md", *ROOT.glob("packages/*/README.md"), *ROOT.glob("docs/**/*.md")):
        for line, source in python_blocks(readme):
            sources[f"{readme.relative_to(ROOT)}:{line}"] = source
    return sources


SOURCES = strangers()


def used(source: str) -> Iterator[tuple[str, str | None]]:
    """Each name of the core in a source with the module that it is taken from; ``None`` for the module itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tfx_core":
            yield from ((str(node.module), each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, None) for each in node.names if each.name.partition(".")[0] == "tfx_core")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tfx_core":
            yield "tfx_core", node.attr


def private(module: str, name: str | None) -> bool:
    return module not in PUBLIC or (name is not None and name not in import_module(module).__all__)


@pytest.mark.parametrize(
    "place",
    [
        *(f"packages/{name}/src/" for name in ("encoders", "decoders", "seq2seq", "retrieval")),
        "packages/core/src/tfx_core/plugins/templates/",
        *("packages/core/README.md:", "README.md:", "docs/plugins/", "examples/", "examples/plugins/", "benchmarks/"),
    ],
)
def test_strangers_are_found_everywhere(place: str) -> None:
    assert any(list(used(source)) for where, source in SOURCES.items() if where.startswith(place))


@pytest.mark.parametrize("where", SOURCES)
def test_strangers_import_public_names_only(where: str) -> None:
    assert [f"{module}: {name}" for module, name in used(SOURCES[where]) if private(module, name)] == []


@pytest.mark.parametrize(
    ("source", "is_private"),
    [
        ("from tfx_core import pipeline", False),
        ("from tfx_core.nn import Attention", False),
        ("import tfx_core\ntfx_core.load_model", False),
        ("from tfx_core.nn.attention import Attention", True),
        ("from tfx_core.nn import attention", True),
        ("import tfx_core.nn.attention", True),
        ("import tfx_core\ntfx_core.nothing_at_all", True),
        ("def later():\n    from tfx_core import nothing_at_all", True),
    ],
)
def test_a_private_import_is_noticed(source: str, is_private: bool) -> None:
    assert any(private(module, name) for module, name in used(source)) == is_private


def test_the_page_about_versions_names_all_that_may_be_imported() -> None:
    page = (ROOT / "docs/plugins/versions.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(tfx_core[\w.]*)`", page.partition("\n## The API level")[0])) == set(PUBLIC)


@pytest.mark.parametrize("module", PUBLIC)
def test_what_is_public_is_there_and_listed_once(module: str) -> None:
    names = import_module(module).__all__
    assert sorted(names) == sorted(set(names))
    assert [name for name in names if not hasattr(import_module(module), name)] == []
