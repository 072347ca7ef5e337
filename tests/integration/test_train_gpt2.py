"""The demonstration of training, on little text and for a second: what it prints, and what it leaves."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import hear_interrupts

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_gpt2"
PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import corpus, train
text = "Return a list of the {0} that the statement with number {0} binds, in order of {0}. "
corpus.documents = lambda: ((str(number), text.format(number) * 20) for number in range(60))
train.SAID_AGAIN = 0.0
train.main()
"""


def started(folder: Path, minutes: float) -> "subprocess.Popen[str]":
    small = ("--minutes", str(minutes), "--layers", "1", "--width", "64")
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(EXAMPLE), str(folder), *small],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    training = started(tmp_path_factory.mktemp("gpt2") / "model", 0.02)
    stdout, stderr = training.communicate(timeout=300)
    assert training.returncode == 0, stderr
    return stdout.splitlines()


def test_it_marks_prompts_and_shows_progress(printed: list[str]) -> None:
    assert [line for line in printed if line.startswith("> ")] == [
        "> The with statement",
        "> Return a list of",
        "> A string literal is",
    ]
    steps = [line for line in printed if "  step " in line]
    assert steps[0].startswith("  0%")


def test_it_says_where_the_model_is_and_what_to_try_next(printed: list[str]) -> None:
    told, *commands = printed[-3:]
    assert told.startswith("The model is in ")
    for command in commands:
        done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_an_interrupt_is_one_line(tmp_path: Path) -> None:
    training = started(tmp_path / "model", 5.0)
    assert training.stdout is not None
    while "  step " not in training.stdout.readline():
        assert training.poll() is None
    training.send_signal(signal.SIGINT)
    _, stderr = training.communicate(timeout=60)
    assert (training.returncode, stderr) == (130, "\nInterrupted; a run that is to be whole begins anew.\n")
