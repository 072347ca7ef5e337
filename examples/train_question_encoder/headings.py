"""Questions made from documentation: the first line of a docstring of Python's library, answered by what follows it."""

import ast
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfx_core.embedding import Passage
from tfx_retrieval.training import TrainingQuestion

LEFT_OUT = frozenset({"test", "tests", "site-packages", "idlelib", "lib2to3", "turtledemo", "pydoc_data", "ensurepip"})
LONGEST, SHORTEST = 60, 12
"""Words of a passage that are kept, and that it must have."""


@dataclass(frozen=True)
class Parts:
    """Questions to learn from, and those that are held out; no module has some in both."""

    train: list[TrainingQuestion]
    held_out: list[TrainingQuestion]

    @property
    def passages(self) -> list[Passage]:
        """What is searched in: the passages of all."""
        return [each.positives[0] for part in (self.train, self.held_out) for each in part]


def questions(limit: int, seed: int = 0) -> Parts:
    """At most so many questions, split by module: two thirds to learn from, the rest held out."""
    modules: dict[str, list[TrainingQuestion]] = {}
    seen = set[str]()
    for module, heading, text in _docstrings():
        if heading.lower() not in seen and text not in seen:
            seen |= {heading.lower(), text}
            modules.setdefault(module.lstrip("_"), []).append(_question(module, heading, text))
    names = sorted(modules)
    random.Random(seed).shuffle(names)
    every = [each for name in names for each in modules[name]][:limit]
    learnt = len(every) * 2 // 3
    known = {each.positives[0].topic.lstrip("_") for each in every[:learnt]}
    return Parts(every[:learnt], [each for each in every[learnt:] if each.positives[0].topic.lstrip("_") not in known])


def _question(module: str, heading: str, text: str) -> TrainingQuestion:
    return TrainingQuestion(heading, positives=(Passage(text, module),))


def _docstrings() -> Iterator[tuple[str, str, str]]:
    """Module, first line and the rest of every docstring that has both."""
    root = Path(os.__file__).parent
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root)
        if not LEFT_OUT & set(path.parts):
            for docstring in _of_file(file):
                heading, _, text = docstring.partition("\n\n")
                words = text.split()
                if 3 <= len(heading.split()) <= 25 and len(words) >= SHORTEST:
                    yield path.parts[0].removesuffix(".py"), " ".join(heading.split()), " ".join(words[:LONGEST])


def _of_file(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):  # what shows how a parser fails
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            docstring = ast.get_docstring(node)
            if docstring:
                yield docstring
