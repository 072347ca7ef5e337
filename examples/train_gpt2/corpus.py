"""The text that every CPython carries: its language reference, and the docstrings of its standard library."""

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

HELD_OUT_SHARE = 10
"""One document in this many is held out."""


def documents() -> Iterator[tuple[str, str]]:
    """Name and text of every document: a topic of the reference, or the docstrings of one module."""
    from pydoc_data.topics import topics

    yield from sorted(topics.items())
    library = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(library.rglob("*.py")):
        name = file.relative_to(library).as_posix()
        if not any(part in name for part in ("site-packages/", "test/", "tests/", "idlelib/", "pydoc_data/")):
            text = docstrings(file)
            if text:
                yield name, text


def docstrings(file: Path) -> str:
    """The docstrings of a module, its classes and functions; the file is parsed, never run."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError):  # files that are wrong on purpose
        return ""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, kinds) and (text := ast.get_docstring(node)):
            name = getattr(node, "name", file.stem)
            found.append(f"{name}\n\n{text}\n")
    return "\n".join(found)


def split() -> tuple[list[str], list[str]]:
    """Documents to learn from and documents held out, chosen by the names; a text that occurs twice is kept once."""
    training: list[str] = []
    held_out: list[str] = []
    seen: set[str] = set()
    for name, text in documents():
        if text in seen:
            continue
        seen.add(text)
        (held_out if crc32(name.encode()) % HELD_OUT_SHARE == 0 else training).append(text)
    return training, held_out
