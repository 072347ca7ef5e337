"""Completion in a shell, as click makes it, and at what price."""

import os
import subprocess
import sys

import pytest

from tests.core.cli.running import run

PROGRAM = """
import atexit, sys
sys.argv[0] = "tfx-core"
atexit.register(lambda: print(sorted({"torch", "numpy", "tokenizers"} & set(sys.modules))))
from tfx_core.cli import main
main()
"""


def completed(words: str) -> list[str]:
    """What bash is given for the last of these words, and which heavy modules that imported."""
    asked = {"_TFX_CORE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, **asked}, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tfx-core plug", ["plain,plugins"]),
        ("tfx-core run fill", ["plain,fill-mask"]),
        ("tfx-core run fill-mask --rea", ["plain,--read-as"]),
        ("tfx-core run text-classification --function-to-apply sof", ["plain,softmax"]),
    ],
)
def test_names_are_completed_without_torch(words: str, offered: list[str]) -> None:
    *found, heavy = completed(words)
    assert found == offered
    assert heavy in ("[]", "['numpy']")


def test_help_says_how_to_turn_it_on() -> None:
    assert 'eval "$(_TFX_CORE_COMPLETE=bash_source tfx-core)"' in run("--help").stdout
