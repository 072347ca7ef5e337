"""Pieces of a training that need no model of a family."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from tfx_training import TrainingSettings
from tfx_training.loop.batches import prepared
from tfx_training.loop.interrupts import heeded_interrupts
from tfx_training.loop.log import Log, draw, lines_of
from tfx_training.loop.optimisers import optimisers_of
from tfx_training.objective import generator_of, generator_of_order


def test_rows_their_order_and_each_row_have_generators_of_their_own() -> None:
    made = [generator_of(3), generator_of_order(3, 0), generator_of_order(3, 1)]
    made += [generator_of(3, *numbers) for numbers in ((0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1))]
    assert len({each.integers(2**62) for each in made}) == len(made)
    assert generator_of(3, 1, 4).random() == generator_of(3, 1, 4).random()


def test_what_is_prepared_comes_in_order_and_so_does_an_error() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise ValueError("no more")

    coming = prepared(items())
    assert [next(coming) for _ in range(10)] == list(range(10))
    with pytest.raises(ValueError, match="no more"):
        next(coming)
    assert list(prepared(iter("abc"))) == ["a", "b", "c"]


def test_nothing_is_prepared_any_more_once_it_is_closed() -> None:
    threads = threading.active_count()
    coming = prepared(iter(range(10**9)))
    assert next(coming) == 0
    coming.close()
    assert threading.active_count() == threads


def test_a_log_goes_on_where_a_training_does(tmp_path: Path) -> None:
    log = Log(tmp_path, -1, -1)
    for step in (1, 2, 3):
        log.add({"step": step, "losses": {"loss": 1 / step}})
    log.add({"step": 3, "evaluation": {"loss": 0.5}})
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "los')  # killed
    Log(tmp_path, 2, 3)
    assert [(line["step"], "losses" in line) for line in lines_of(tmp_path / "log.jsonl")] == [
        (1, True),
        (2, True),
        (3, False),
    ]
    Log(tmp_path, -1, -1)
    assert (tmp_path / "log.jsonl").read_text(encoding="utf-8") == ""


def test_a_picture_of_the_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"step": 1, "losses": {"loss": 2.0}}, {"step": 2, "evaluation": {"loss": 1.0, "perplexity": 2.7}}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert draw(tmp_path) == tmp_path / "curves.png"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert draw(tmp_path) is None


@pytest.mark.usefixtures("hearing")
def test_a_first_interrupt_is_told_and_a_second_interrupts() -> None:
    with heeded_interrupts() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("hearing")
def test_a_scheduler_that_ends_a_program_is_told_too() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with heeded_interrupts() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


class Tiny(nn.Module):
    """An embedding, a layer, a norm, and scores of the embedding's tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(10, 4)
        self.layer = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.scores = nn.Linear(4, 10, bias=False)
        self.scores.weight = self.embeddings.weight


def test_what_decays_and_what_is_orthogonal() -> None:
    tiny = Tiny()
    (adamw,) = optimisers_of(tiny, TrainingSettings(steps=1, weight_decay=0.1))
    decaying, others = adamw.param_groups
    assert set(decaying["params"]) == {tiny.embeddings.weight, tiny.layer.weight}
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert set(others["params"]) == {tiny.layer.bias, tiny.norm.weight, tiny.norm.bias}
    if hasattr(torch.optim, "Muon"):
        adamw, muon = optimisers_of(tiny, TrainingSettings(steps=1, optimiser="muon"))
        assert muon.param_groups[0]["params"] == [tiny.layer.weight]
        assert tiny.embeddings.weight in set(adamw.param_groups[0]["params"])
