"""What a page shows works: every README, and every page of the documentation, is pasted block by block."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READMES = (ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md")))
ARCHITECTURES = sorted(ROOT.glob("docs/architectures/*.md"))
DOCS = [page for page in sorted(ROOT.glob("docs/**/*.md")) if page not in ARCHITECTURES]
PAGES = {str(page.relative_to(ROOT)): [page] for page in (*READMES, *DOCS) if "```" in page.read_text(encoding="utf-8")}
# those are short and many: a process pastes some of them
SHARES = {f"docs/architectures, share {number}": ARCHITECTURES[number::4] for number in range(4)}


def paste(pages: list[Path], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Paste pages in a folder where a user would, by a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("pasting.py")), *map(str, pages)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("name", [*PAGES, *SHARES])
def test_what_a_page_shows_runs_and_prints_what_it_says(name: str, tmp_path: Path) -> None:
    pages = {**PAGES, **SHARES}[name]
    done = paste(pages, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or "```python" not in pages[0].read_text(encoding="utf-8")
    warnings = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(warnings) <= 2, f"one line of warning was promised: {done.stderr}"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```python\nprint(1 + 1)  # 3\n```\n", "printed 2"),
        ("```python\nprint((1, 2))  # (1, 3)\n```\n", "printed (1, 2)"),
        ("```python\nif False:\n    print(1)  # 1\n```\n", "printed nothing"),
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "promised:\n2"),
        ("```sh\necho 1\n```\n\n```text\n2\n```\n", "promised:\n2"),
        ("```sh\nfalse\n```\n", "ended with 1"),
        ("```sh\ntrue\n```\n", "printed nothing"),
        ("```python\nimport nothing_of_this_name\n```\n", "ModuleNotFoundError"),
    ],
)
def test_a_page_that_promises_something_else_is_noticed(page: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(page, encoding="utf-8")
    done = paste([file], tmp_path)
    assert done.returncode != 0
    assert said in done.stderr


def test_what_is_promised_in_each_way_is_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\n# own/name.py\nvalue = 5\n```\n"
        "```python\nimport torch\nfrom own.name import value\n\nfor each in range(2):\n    pass\n"
        "print(value)  # 5; words\nprint(torch.zeros(2, 3).shape)  # (2, 3)\nprint('a')  # words\n```\n"
        "```text\n5\ntorch.Size([2, 3])\na\n```\n"
        "```sh\necho one\n```\n```text\none\n```\n",
        encoding="utf-8",
    )
    assert paste([page], tmp_path).returncode == 0


def test_the_readme_promises_enough_to_be_pasted() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("```python") > 5
    assert text.count("```sh") > 4
    assert len(re.findall(r"^print\(.*\)  # [\d(\[T]", text, re.MULTILINE)) > 5
