"""The package's page: its Python is pasted and run."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "packages/seq2seq/README.md"


def test_the_python_of_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    snippets = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert snippets
    said = re.findall(r"print\(.*\)  # (.*)", "\n".join(snippets))
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == said
