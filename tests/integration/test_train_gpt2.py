"""The demonstration of training, on little text and for a second: what it prints, and what it leaves."""

import json
import os
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
train.VOCABULARY = 300
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
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpt2") / "model"


@pytest.fixture(scope="module")
def printed(folder: Path) -> list[str]:
    training = started(folder, 0.02)
    stdout, stderr = training.communicate(timeout=300)
    assert training.returncode == 0, stderr
    return stdout.splitlines()


def test_it_shows_the_commands_and_marks_prompts(printed: list[str]) -> None:
    assert [line.split()[2] for line in printed if line.startswith("$ ")] == ["tokenizer", "pretrain"]
    assert [line for line in printed if line.startswith("> ")] == [
        "> The with statement",
        "> Return a list of",
        "> A string literal is",
    ]


def test_it_leaves_a_log_beside_the_model(printed: list[str], folder: Path) -> None:
    log = [json.loads(line) for line in (folder / "log.jsonl").open(encoding="utf-8")]
    assert log[0]["step"] == 1
    assert "bits per byte" in log[-1]["evaluation"]


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
    log = tmp_path / "model" / "log.jsonl"
    while not log.exists():
        assert training.poll() is None
    os.killpg(training.pid, signal.SIGINT)  # as a terminal does it, to all that run in it
    _, stderr = training.communicate(timeout=60)
    assert training.returncode == 130, stderr
    assert stderr.strip().splitlines()[-1].startswith("Interrupted; ")
    assert "Traceback" not in stderr
