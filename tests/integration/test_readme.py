"""The snippets of every README, and of the pages about attention, work when they are pasted one after the other."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted(ROOT.glob("packages/*/README.md")), *sorted(ROOT.glob("docs/attention-*.md")))
READMES = {str(path.relative_to(ROOT)): path for path in PAGES}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/]+\.(py|toml))\n")
"""What a block begins with that is a file."""
NOT_HERE = ("nox", "dist/", "google-t5/")
"""Marks of commands that are run in a clone, or that need a checkpoint of the hub."""


@dataclass(frozen=True)
class Pasted:
    """A README, and what came of its Python snippets."""

    blocks: list[tuple[str, str]]
    """(language, text) of every fenced block."""
    folder: Path
    python: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module", params=READMES)
def pasted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pasted:
    return paste(READMES[request.param], tmp_path_factory.mktemp("user"))


def paste(readme: Path, folder: Path) -> Pasted:
    """Run the Python snippets in one process, in a folder where a user would paste them."""
    blocks = [(block[1], block[2]) for block in FENCE.finditer(readme.read_text(encoding="utf-8"))]
    statements = []
    for language, text in blocks:
        if named := FILE.match(text):
            file = folder / named[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(text[named.end() :], encoding="utf-8")
        elif language == "python":
            statements.append(text)
    assert statements
    script = folder / "pasted.py"
    script.write_text("\n".join(statements), encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=False)
    return Pasted(blocks, folder, done)


def test_the_python_snippets_run(pasted: Pasted) -> None:
    assert pasted.python.returncode == 0, pasted.python.stdout + pasted.python.stderr
    assert pasted.python.stdout
    warnings = [line for line in pasted.python.stderr.splitlines() if line.strip()]
    assert len(warnings) <= 2, "one line of warning was promised"


def test_what_they_print_is_what_stands_beside_it(pasted: Pasted) -> None:
    code = "\n".join(text for language, text in pasted.blocks if language == "python")
    promised = re.findall(
        r"^print\(.*\)  # (?:torch\.Size\()?(\([\d, ]+\)|\[[\d, ]+\]|True|\d+ \d+)", code, re.MULTILINE
    )
    printed = [re.sub(r"torch\.Size\(\[(.*)\]\)", r"(\1)", line) for line in pasted.python.stdout.splitlines()]
    for each in promised:
        assert each.replace("[", "(").replace("]", ")") in printed


def test_the_commands_run(pasted: Pasted) -> None:
    commands = [text for language, text in pasted.blocks if language == "sh"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for text in commands:
        if any(mark in text for mark in NOT_HERE):
            continue
        done = subprocess.run(
            ["bash", "-euc", text],
            cwd=pasted.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path},
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        assert done.stdout or "eval" in text


def test_the_readme_promises_enough_to_be_pasted() -> None:
    text = README.read_text(encoding="utf-8")
    assert text.count("```python") > 5
    assert text.count("```sh") > 4
