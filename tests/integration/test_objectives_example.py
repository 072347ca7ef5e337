"""The example of all objectives, on little text: what it prints, and what its exit status says."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tfx_core import ObjectiveSpec
from tfx_core.plugins import registry

EXAMPLE = Path(__file__).parents[2] / "examples/objectives"
TEXT = "Return a list of the {0} names. The statement binds number {0}. Each of {0} is in order. "


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A file of the example, by name; its text is little. Other examples have files of the same names."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("texts", "learn", "effects"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import texts

    monkeypatch.setattr(texts.corpus, "documents", lambda: ((str(n), TEXT.format(n) * 6) for n in range(60)))

    def imported(name: str) -> Any:
        found = __import__(name)
        monkeypatch.setitem(sys.modules, name, found)
        return found

    return imported


def test_it_tries_every_objective(module: Callable[[str], Any]) -> None:
    learn = module("learn")
    assert {*learn.TRIALS} == {entry.spec.name for entry in registry.specs(ObjectiveSpec)}
    for name, trial in learn.TRIALS.items():
        assert trial.model_type in registry.find(ObjectiveSpec, name).architectures
        assert any(margin is not None and margin > 0 for margin in trial.margins.values())


@pytest.mark.parametrize(("margin", "status", "told"), [(9.0, 1, "not learnt"), (-9.0, 0, "")])
def test_a_margin_that_is_missed_is_told(
    module: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    margin: float,
    status: int,
    told: str,
) -> None:
    learn = module("learn")
    easy = replace(learn.TRIALS["replaced-tokens"], margins={"discriminator": margin, "generator": -9.0})
    monkeypatch.setitem(learn.TRIALS, "replaced-tokens", easy)
    file = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["learn.py", "--only", "replaced-tokens", "--steps", "2", "--json", str(file)])
    with pytest.raises(SystemExit) as raised:
        learn.main()
    assert raised.value.code == status
    _, discriminator, generator = capsys.readouterr().out.splitlines()
    assert discriminator.split()[:3] == ["replaced-tokens", "electra", "discriminator"]
    assert discriminator.endswith(told)
    assert generator.split()[2] == "generator"
    figures = json.loads(file.read_text())["learn"]["replaced-tokens"]
    assert [line["passes"] for line in figures] == [not told, True]
    assert 0 < figures[0]["chance"] < 0.7


def test_an_effect_is_told_as_a_ratio(
    module: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    effects = module("effects")
    file = tmp_path / "figures.json"
    arguments = ["--only", "memory", "--seeds", "0", "--steps", "1", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", ["effects.py", *arguments])
    effects.main()
    assert capsys.readouterr().out.startswith("memory, held-out bits per byte: with memory ")
    effect = json.loads(file.read_text())["effects"]["memory"]
    (one,), (other,), (ratio,) = (effect[name] for name in ("with memory", "without", "ratio"))
    assert ratio == pytest.approx(one / other)
