"""The README's snippets work when they are pasted one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OF_THE_REPOSITORY = ("nox", "dist/")
"""Marks of commands that are run in a clone, not by a user."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user would paste; holds the README, which is something to index."""
    folder = tmp_path_factory.mktemp("user")
    (folder / README.name).write_bytes(README.read_bytes())
    return folder


@pytest.fixture(scope="module")
def blocks() -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return [(block[1], block[2]) for block in FENCE.finditer(README.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def python(blocks: list[tuple[str, str]], folder: Path) -> subprocess.CompletedProcess[str]:
    """The Python snippets, in one process; a block that begins with the name of a file is that file."""
    statements = []
    for _, text in blocks:
        first, _, rest = text.partition("\n")
        if re.fullmatch(r"# [\w/]+\.(py|toml)", first):
            file = folder / first.removeprefix("# ")
            file.parent.mkdir(exist_ok=True)
            file.write_text(rest, encoding="utf-8")
    for language, text in blocks:
        if language == "python" and not re.match(r"# [\w/]+\.py\n", text):
            statements.append(text)
    assert len(statements) > 5
    script = folder / "pasted.py"
    script.write_text("\n".join(statements), encoding="utf-8")
    return subprocess.run([sys.executable, str(script)], cwd=folder, capture_output=True, text=True, check=False)


def test_the_python_snippets_run_and_print_what_they_say(python: subprocess.CompletedProcess[str]) -> None:
    assert python.returncode == 0, python.stdout + python.stderr
    printed = python.stdout.splitlines()
    assert printed[0] == "torch.Size([2, 4, 384])"
    assert printed[1] == "torch.Size([2, 5])"
    assert printed[3] == "True"
    warnings = [line for line in python.stderr.splitlines() if line.strip()]
    assert len(warnings) <= 2, "one line of warning was promised"


def test_the_commands_run(
    blocks: list[tuple[str, str]], folder: Path, python: subprocess.CompletedProcess[str]
) -> None:
    commands = [text for language, text in blocks if language == "sh"]
    commands = [text for text in commands if not any(mark in text for mark in OF_THE_REPOSITORY)]
    assert len(commands) > 1
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for text in commands:
        done = subprocess.run(
            ["bash", "-euc", text],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path},
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        assert done.stdout
