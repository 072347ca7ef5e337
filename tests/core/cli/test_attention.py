"""The commands that measure and draw patterns of attention."""

import json
import re
from pathlib import Path

import pytest

from tests.core.cli.running import run
from tfx_core.model import mask_picture

COST = ("attention-cost", "--heads", "2", "--width", "8", "--rounds", "1")


def test_costs_are_a_table_of_patterns_and_lengths() -> None:
    shown = run(*COST, "full", "window(4)", "-n", "64,128")
    assert shown.exit_code == 0
    head, *lines = shown.stdout.splitlines()
    assert head.split() == ["PATTERN", "LENGTH", "TIME", "MEMORY", "MULTIPLICATIONS", "TIMES", "FULL"]
    assert [line.split()[:2] for line in lines] == [
        ["full", "64"], ["window(4)", "64"], ["full", "128"], ["window(4)", "128"],
    ]  # fmt: skip
    assert lines[0].endswith("131 k            1.00")


def test_costs_are_lines_of_json() -> None:
    shown = run(*COST, "window(4)", "--length", "64", "--backward", "--dtype", "bfloat16", "--json")
    assert shown.exit_code == 0
    assert shown.stderr == ""
    (found,) = map(json.loads, shown.stdout.splitlines())
    assert found.pop("seconds") > 0
    assert found.pop("multiplications") > found.pop("peak") > 0
    assert found == {"pattern": "window(4)", "length": 64, "times_full": None}


def test_what_is_not_tried_says_what_it_would_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfx_core.model.cost.free_memory", lambda device: 2**22)
    shown = run(*COST, "eager", "-n", "256,4096")
    assert shown.exit_code == 0
    fits, beyond = shown.stdout.splitlines()[1:]
    assert "too much" not in fits
    assert re.fullmatch(r"eager +4096 +- +\d+ MB: too much +- +-", beyond)


def test_what_was_measured_is_shown_when_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    def some(*_: object, **__: object) -> object:
        from tfx_core.model import AttentionCost

        yield AttentionCost("full", 64, 1000)
        stop()

    monkeypatch.setattr("tfx_core.model.attention_cost", some)
    shown = run("attention-cost", "full")
    assert shown.exit_code == 130
    assert "1 kB: too much" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["widow(3)"], "did you mean 'window'?"),
        (["window(x)"], "cannot read the arguments"),
        (["lsh(4, rounds=0)"], "lsh: rounds=0: must be"),
        (["chunks(0)"], "chunks: length=0: must be"),
        (["full", "-n", "0"], "0 is not in the range x>=1"),
        (["full", "-n", "1,many"], "'many' is not a valid integer"),
        (["full", "--device", "abacus"], "--device abacus: on this machine it is one of"),
        ([], "Missing argument 'PATTERN...'"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: list[str], said: str) -> None:
    shown = run("attention-cost", *arguments)
    assert shown.exit_code in (1, 2)
    assert said in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_a_picture_is_written_out_or_into_a_file(tmp_path: Path) -> None:
    expected = mask_picture("window(2)", 12)
    assert run("attention-picture", "window(2)", "-n", "12").stdout == expected
    file = tmp_path / "window.svg"
    assert run("attention-picture", "window(2)", "--length", "12", "--output", str(file)).stdout == ""
    assert file.read_text(encoding="utf-8") == expected
    refused = run("attention-picture", "eager", "--output", str(tmp_path / "eager.svg"))
    assert "nothing to draw" in refused.stderr
    assert not (tmp_path / "eager.svg").exists()
