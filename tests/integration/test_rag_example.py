"""The example of joint training, on few passages and for a few steps: what it prints, and what it leaves."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tfx_core.cli import cli

EXAMPLE = Path(__file__).parents[2] / "examples" / "rag_python_reference"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("rag-example") / "out"
    few = ("--passages", "30", "--reader-steps", "2", "--steps", "3")
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "train.py"), str(folder), *few], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_it_tells_the_figures_before_and_after(printed: tuple[Path, str]) -> None:
    folder, told = printed
    results = json.loads((folder / "results.json").read_text())
    for name in ("before", "generator alone", "after"):
        assert 0 <= results[name]["exact_match"] <= 1
        assert f"exact match {results[name]['exact_match']:.3f}" in told
    assert 0 <= results["other_passages"] <= 1
    assert results["watch"]["questions"] > 0


def test_what_it_says_to_try_works(printed: tuple[Path, str]) -> None:
    command = printed[1][printed[1].index("tfx-core run") :].replace("\\\n", " ")
    arguments = [argument for argument in shlex.split(command)[1:] if argument.strip()]
    done = CliRunner().invoke(cli, arguments, prog_name="tfx-core")
    assert done.exit_code == 0, done.output


def test_no_question_stands_in_a_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import reference

    passages, learned, held_out = reference.passages_and_questions()
    texts = [passage.text for passage in passages]
    assert not any(each.question in text for each in (*learned, *held_out) for text in texts)
    assert not {each.question for each in learned} & {each.question for each in held_out}
    assert {each.source for each in held_out} <= {passage.id for passage in passages}
