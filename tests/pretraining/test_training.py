"""Trainings: what is learnt does not depend on how an update is divided, nor on interruptions."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch.optim.optimizer import register_optimizer_step_post_hook

import tfx_core
from tests.pretraining.case import OBJECTIVES, Tried
from tests.pretraining.trainings import training
from tfx_core import ObjectiveSpec
from tfx_core.errors import CheckpointError, InputError
from tfx_core.plugins import registry
from tfx_training import TokenCorpus, TrainingSettings, train
from tfx_training.loop.evaluating import evaluate
from tfx_training.loop.log import lines_of


def log(folder: Path) -> str:
    return (folder / "log.jsonl").read_text(encoding="utf-8")


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = (tfx_core.load_model(folder).state_dict() for folder in (one, other))
    return ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in lines_of(folder / "log.jsonl") if "loss" in line]


def process(folder: Path, *launcher: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A training in a process of its own, or in several."""
    command = [sys.executable, *(launcher or ("-m",)), "tests.pretraining.trainings", str(folder), json.dumps(options)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).parent.parent.parent
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("killed", [{"saving": 6}, {"learning": 7}], ids=lambda each: next(iter(each)))
def test_a_killed_training_goes_on_as_if_it_had_not_been(killed: Mapping[str, int], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"steps": 9, "save_every": 3, "evaluate_every": 3, "log_every": 2, "warmup": 2}
    training(tmp_path / "whole", **settings)
    ended = process(tmp_path / "killed", **settings, killed=killed)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not (tmp_path / "killed" / "config.json").exists()
    training(tmp_path / "killed", **settings, resume=True)
    assert same_weights(tmp_path / "killed", tmp_path / "whole")
    assert log(tmp_path / "killed") == log(tmp_path / "whole")
    left = sorted(each.name for each in (tmp_path / "killed" / "checkpoints").iterdir())
    assert left == ["step-6", "step-9"]


def test_a_training_that_fails_in_its_last_evaluation_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"steps": 3, "save_every": 3, "log_every": 2}
    training(tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        patch.setattr("tfx_training.loop.training.evaluate", lambda *others: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            training(tmp_path / "failed", **settings)
    assert log(tmp_path / "failed").count("losses") == 2
    training(tmp_path / "failed", **settings)
    assert log(tmp_path / "failed") == log(tmp_path / "whole")


@pytest.mark.parametrize("until", [{"steps": 20}, {"epochs": 2}], ids=lambda each: next(iter(each)))
def test_the_rate_falls_from_its_height(until: Mapping[str, int], tmp_path: Path) -> None:
    training(tmp_path / "out", **until, warmup=4, rate=1.0)
    rates = [line["rate"] for line in lines_of(tmp_path / "out" / "log.jsonl") if "rate" in line]
    assert rates[:5] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert rates[4:] == pytest.approx([1 - place / len(rates[4:]) for place in range(len(rates[4:]))])


@pytest.mark.usefixtures("hearing")
@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_an_interrupted_training_with_a_memory_goes_on(optimiser: str, tmp_path: Path) -> None:
    if optimiser == "muon" and not hasattr(torch.optim, "Muon"):
        with pytest.raises(InputError, match=r"has no torch\.optim\.Muon; install torch 2\.9"):
            training(tmp_path, steps=1, optimiser="muon")
        return
    settings: dict[str, Any] = {"kind": "following", "epochs": 2, "batch_size": 16, "accumulation": 2}
    settings |= {"optimiser": optimiser, "schedule": "cosine"}
    training(tmp_path / "whole", **settings)
    with interrupted_after(3), pytest.raises(KeyboardInterrupt):
        training(tmp_path / "stopped", **settings)
    assert 0 < len(losses(tmp_path / "stopped")) < len(losses(tmp_path / "whole"))
    training(tmp_path / "stopped", **settings)
    assert same_weights(tmp_path / "stopped", tmp_path / "whole")
    assert log(tmp_path / "stopped") == log(tmp_path / "whole")


@contextmanager
def interrupted_after(updates: int) -> Iterator[None]:
    """Ctrl-C while one of the updates is made."""
    calls: list[int] = []

    def press(*others: Any) -> None:
        calls.append(1)
        if len(calls) == updates:
            signal.raise_signal(signal.SIGINT)

    handle = register_optimizer_step_post_hook(press)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("name", [spec.name for spec in OBJECTIVES])
def test_every_objective_goes_on_from_a_checkpoint(name: str, tmp_path: Path) -> None:
    model_type = registry.find(ObjectiveSpec, name).architectures[0]
    tried = Tried(name, model_type, tmp_path / "tokenizer")
    settings = TrainingSettings(steps=4, batch_size=4, accumulation=2, save_every=2, log_every=1, rate=1e-3)

    def trained(folder: Path) -> None:
        train(tried.objective, tried.models(), tried.corpus, folder, settings=settings, held_out=tried.corpus)

    trained(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "checkpoints" / "step-4")
    trained(tmp_path / "again")
    assert log(tmp_path / "again") == log(tmp_path / "whole")
    for number, role in enumerate(tried.objective.roles):
        folders = [tmp_path / which / role if number else tmp_path / which for which in ("again", "whole")]
        assert same_weights(*folders), role


def test_parts_of_an_update_give_what_it_gives_whole(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"kind": "sparse", "dropout": False, "steps": 4, "rate": 1e-2}
    whole = training(tmp_path / "whole", **settings)
    parts = training(tmp_path / "parts", **settings, accumulation=4)
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), abs=1e-5)
    assert parts.measures == pytest.approx(whole.measures, abs=1e-5)
    assert "first accuracy" in whole.measures


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"kind": "sparse", "dropout": False, "steps": 4, "rate": 1e-2, "accumulation": 2}
    one = training(tmp_path / "one", **settings)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    ended = process(tmp_path / "two", *launcher, **settings)
    assert ended.returncode == 0, ended.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
    position = tmp_path / "two" / "checkpoints" / "step-4" / "position.json"
    assert json.loads(position.read_text(encoding="utf-8"))["identity"]["processes"] == 2
    both = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(both) == 2
    for measures in both:
        assert measures == pytest.approx(one.measures, abs=1e-5)


def test_what_a_training_may_not_go_on_with(tmp_path: Path) -> None:
    training(tmp_path / "out", steps=1)
    with pytest.raises(InputError, match=r"settings\.rate is 0\.001 there and 0\.1 now"):
        training(tmp_path / "out", steps=1, rate=0.1)
    with pytest.raises(InputError, match=r"objective is 'tfx_training.* there and 'tests"):
        training(tmp_path / "out", steps=1, kind="following")
    with pytest.raises(InputError, match=r"model\.resid_pdrop is 0\.1 there and 0\.0 now"):
        training(tmp_path / "out", steps=1, dropout=False)
    with pytest.raises(InputError, match=r"settings\.keep_best is False there and True now"):
        training(tmp_path / "out", steps=1, keep_best=True)
    training(tmp_path / "out", steps=1, rate=0.1, resume=False)
    with pytest.raises(InputError, match="has no checkpoints to go on from"):
        training(tmp_path / "other", steps=1, resume=True)


def test_a_checkpoint_that_lost_something(tmp_path: Path) -> None:
    training(tmp_path / "whole", steps=2)
    files = ["carried_0.pt", "model.safetensors", "optimizer.bin", "random_states_0.pkl"]
    for name in files:
        shutil.copytree(tmp_path / "whole", tmp_path / name)
        checkpoint = tmp_path / name / "checkpoints" / "step-2"
        assert sorted(each.name for each in checkpoint.iterdir()) == sorted([*files, "position.json"])
        whole = (checkpoint / name).read_bytes()
        (checkpoint / name).write_bytes(whole[:-1])
        with pytest.raises(CheckpointError, match=rf"{name}: has {len(whole) - 1} bytes, not {len(whole)}; remove"):
            training(tmp_path / name, steps=2)
        (checkpoint / name).unlink()
        with pytest.raises(CheckpointError, match=rf"{name}: is missing; remove .*step-2, and the training goes on"):
            training(tmp_path / name, steps=2)
    (tmp_path / "whole" / "checkpoints" / "step-2" / "model.safetensors").write_bytes(b"\xff" * len(whole))
    position = tmp_path / "whole" / "checkpoints" / "step-2" / "position.json"
    told = json.loads(position.read_text(encoding="utf-8"))
    told["bytes"]["model.safetensors"] = len(whole)
    position.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"step-2: cannot be read: .*; remove it"):
        training(tmp_path / "whole", steps=2)


def test_every_text_of_a_corpus_is_known_again(tmp_path: Path) -> None:
    tried = Tried("causal", "gpt2", tmp_path / "tokenizer")
    documents = [*tried.case.documents]
    other = TokenCorpus.of(tried.tokenizer, [*documents[:-1], documents[0]])
    corpora = {name: replace(other, size=tried.corpus.size, digest=digest) for name, digest in (("a", 1), ("b", 2))}
    assert tried.objective.digest(tried.corpus) != tried.objective.digest(other)

    def trained(corpus: TokenCorpus, held_out: TokenCorpus | None) -> None:
        settings = TrainingSettings(steps=1, batch_size=4)
        train(tried.objective, tried.models(), corpus, tmp_path / "out", settings=settings, held_out=held_out)

    trained(corpora["a"], None)
    trained(corpora["a"], corpora["a"])
    for corpus, held_out, name in (("b", "a", r"corpus\.digest"), ("a", "b", "held-out corpus")):
        with pytest.raises(InputError, match=f"{name} is 1 there and 2 now"):
            trained(corpora[corpus], corpora[held_out])


def test_a_model_is_as_it_was_after_its_training_was_over(tmp_path: Path) -> None:
    first = training(tmp_path / "out", steps=2)
    shutil.copytree(tmp_path / "out", tmp_path / "before")
    again = training(tmp_path / "out", steps=2)
    assert (again.steps, again.measures) == (first.steps, first.measures)
    assert same_weights(tmp_path / "out", tmp_path / "before")
    assert len(losses(tmp_path / "out")) == 2


def test_time_ends_a_training(tmp_path: Path) -> None:
    trained = training(tmp_path / "out", minutes=0.005)
    assert trained.seconds >= 0.3
    assert trained.steps > 0


def test_it_trains_in_less_memory_and_in_bf16(tmp_path: Path) -> None:
    training(tmp_path / "plain", steps=2, dropout=False)
    training(tmp_path / "twice", steps=2, dropout=False, gradient_checkpointing=True)
    training(tmp_path / "half", steps=2, dropout=False, precision="bf16")
    assert losses(tmp_path / "twice") == pytest.approx(losses(tmp_path / "plain"), abs=1e-5)
    assert losses(tmp_path / "half") == pytest.approx(losses(tmp_path / "plain"), rel=0.02)
    assert losses(tmp_path / "half") != losses(tmp_path / "plain")


def test_a_loss_that_is_no_number_ends_a_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the loss is (nan|inf) at step \d+: a lower rate than 1e\+30"):
        training(tmp_path / "out", steps=20, rate=1e30, schedule="constant", clipping=float("inf"))


def test_no_checkpoint_holds_what_came_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the (loss|gradient's norm) is (nan|inf) at step \d+: .* is whole"):
        training(tmp_path, steps=40, rate=1e30, schedule="constant", clipping=1e30, save_every=1, log_every=40)
    for weights in (tmp_path / "checkpoints").rglob("model.safetensors"):
        assert all(value.isfinite().all() for value in load_file(weights).values())


def test_trackers_are_told_what_the_log_is(tmp_path: Path) -> None:
    training(tmp_path / "out", steps=2, trackers=("tensorboard",))
    assert list((tmp_path / "out").rglob("events.out.*"))
    with pytest.raises(InputError, match=r"trackers: 'tensorbord' is not installed; there are: .*tensorboard"):
        training(tmp_path / "other", steps=2, trackers=("tensorbord",))


def test_a_thread_may_train(tmp_path: Path) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(training(tmp_path / "out", steps=2)))
    thread.start()
    thread.join()
    assert found[0].steps == 2


def test_rows_of_an_update_are_divided_evenly(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batch_size=8: must be a multiple of 3: accumulation=3 in each of 1 process"):
        training(tmp_path / "out", steps=1, accumulation=3)
    assert TrainingSettings(steps=1, batch_size=12, accumulation=3).rows_of_a_slice(2) == 2


def test_the_best_models_are_kept(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"steps": 6, "evaluate_every": 2, "schedule": "constant", "keep_best": True}
    # the rate becomes too high in the end
    trained = training(tmp_path / "out", **settings, rate=20.0, warmup=6)
    evaluations = [line["evaluation"] for line in lines_of(tmp_path / "out" / "log.jsonl") if "evaluation" in line]
    best = min(evaluations, key=lambda each: each["bits per byte"])
    assert trained.measures == best != evaluations[-1]
    tried = Tried("causal", "gpt2", tmp_path / "tokenizer")
    trainee = tried.objective.trainee({"model": tfx_core.load_model(tmp_path / "out", head="causal-lm")})
    found = evaluate(tried.objective, trainee, tried.corpus, Accelerator(cpu=True), 8, 0)
    assert found == pytest.approx(best, abs=1e-5)
    with pytest.raises(InputError, match="keep_best=True: what is better is seen on what is held_out"):
        train(
            tried.objective, tried.models(), tried.corpus, tmp_path, settings=TrainingSettings(steps=1, keep_best=True)
        )
