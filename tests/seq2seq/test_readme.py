"""The package's page: its Python is pasted and run."""

import re
import subprocess
import sys
from pathlib import Path

from tests.pages import python_blocks

README = Path(__file__).parents[2] / "packages/seq2seq/README.md"


def test_the_python_of_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    snippets = [block.source for block in python_blocks(README)]
    assert snippets
    said = re.findall(r"print\(.*\)  # (.*)", "\n".join(snippets))
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == said
