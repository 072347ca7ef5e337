"""The example of DPR's training: its questions are apart, and a few steps go all the way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tfx_core

EXAMPLE = Path(__file__).parents[2] / "examples/train_question_encoder"


@pytest.fixture(autouse=True)
def beside_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files import each other by name, and other examples have files of the same."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("headings", "train"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_no_module_has_questions_in_two_parts() -> None:
    from headings import questions

    parts = questions(400)
    modules = [{each.positives[0].topic for each in part} for part in (parts.train, parts.held_out)]
    assert not modules[0] & modules[1]
    assert len(parts.train) == 266
    assert len(parts.held_out) > 100
    assert len({passage.text for passage in parts.passages}) == len(parts.passages)


def test_a_few_steps_are_taken_and_measured(tmp_path: Path) -> None:
    few = ("--steps", "2", "--batch", "4", "--questions", "200")
    command = [sys.executable, "train.py", str(tmp_path), *few, "--record", str(tmp_path / "record.json")]
    done = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["steps"] == 2
    assert record["held out"] > 0
    assert all(0 <= share <= 1 for name in ("untrained", "words", "trained") for share in record[name])
    assert tfx_core.load_encoder(tmp_path / "encoder").dimension == 384
