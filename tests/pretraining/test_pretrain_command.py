"""``tfx-core pretrain``, as it is typed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tfx_core
from tests.cases import case_of
from tests.core.cli.running import run
from tests.core.text.folders import write
from tests.pretraining.texts import COUNTED
from tests.processes import hear_interrupts

SIZES = ("n_layer=1", "n_embd=16", "n_head=2", "n_positions=24")


@pytest.fixture
def typed(tmp_path: Path) -> list[str]:
    write(tmp_path / "tokenizer", {**case_of("gpt2").released(), "config.json": {"model_type": "gpt2"}})
    (tmp_path / "texts").mkdir()
    for name, texts in (("a.txt", COUNTED[:20]), ("b.txt", COUNTED[20:])):
        (tmp_path / "texts" / name).write_text("\n".join(texts), encoding="utf-8")
    (tmp_path / "held.txt").write_text("\n".join(COUNTED[:5]), encoding="utf-8")
    return [
        *("pretrain", "--objective", "causal", "--option", "length=24", "--tokenizer", str(tmp_path / "tokenizer")),
        *(
            "--corpus",
            str(tmp_path / "texts"),
            "--held-out",
            str(tmp_path / "held.txt"),
            "--out",
            str(tmp_path / "out"),
        ),
        *("--steps", "4", "--batch-size", "4"),
    ]


def new(*keys: str) -> list[str]:
    return ["--config", "gpt2", *(part for key in (*SIZES, *keys) for part in ("--config-key", key))]


def test_from_texts_to_a_model_and_on(typed: list[str], tmp_path: Path) -> None:
    first = run(*typed, *new(), "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    assert (told["steps"], told["tokens"]) == (4, 4 * 4 * 24)
    assert told["measures"].keys() == {"loss", "loss accuracy", "bits per byte"}
    model = tfx_core.load_model(tmp_path / "out", head="causal-lm")
    assert model.config.vocab_size == len(tfx_core.load_tokenizer(tmp_path / "out"))
    held = [
        each["evaluation"] for each in map(json.loads, (tmp_path / "out" / "log.jsonl").open()) if "evaluation" in each
    ]
    assert held == [told["measures"]]
    on = [part if part != str(tmp_path / "out") else str(tmp_path / "on") for part in typed]
    second = run(*on, "--model", str(tmp_path / "out"), "--epochs", "1")
    assert "Error: steps, epochs, minutes: exactly one says how long to train" in second.output
    second = run(*on, "--model", str(tmp_path / "out"), "--optimiser", "adamw", "--betas", "0.9", "0.98")
    assert second.exit_code == 0, second.output
    assert "held out: bits per byte" in second.stdout


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (["--option", "lenth=3"], "--option lenth=…: did you mean 'length'? causal has: length"),
        (["--option", "length"], "'length' is not NAME=VALUE"),
        (["--option", "length=2", "--option", "length=3"], "--option length=…: given twice"),
        (["--role", "teacher=x"], "--role teacher=…: this objective trains model"),
        (["--warmup", "5"], "--warmup 5: there are only 4 steps"),
        (["--accumulation", "3"], "--batch-size 4: must be a multiple of 3"),
        (["--config-key", "n_lay=2"], "gpt2: GPT2Config takes no 'n_lay': did you mean 'n_layer'?"),
        (["--resume"], "has no checkpoints to go on from; --anew begins anew"),
        (["--model", "."], "give either --config, for a new model, or --model, for a trained one"),
        (["--objective", "casual"], "no objective 'casual'"),
        (["--trackers", "tensorbord"], "'tensorbord' is not installed"),
    ],
)
def test_what_cannot_be_trained(more: list[str], error: str, typed: list[str]) -> None:
    result = run(*typed, *new(), *more)
    assert result.exit_code != 0
    assert error in result.output
    assert result.output.count("\n") == 1


def test_a_share_is_held_out(typed: list[str], tmp_path: Path) -> None:
    typed[typed.index("--held-out") + 1] = "0.3"
    result = run(*typed, *new(), "--documents", "lines")
    assert result.exit_code == 0, result.output
    assert "held out: bits per byte" in result.stdout
    assert (tmp_path / "out" / "corpus" / "held-out").is_dir()
    result = run(*typed, *new(), "--documents", "files")
    assert "is of another training: corpus." in result.output or "no document is left" in result.output


def test_a_file_that_is_no_config(typed: list[str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"n_layer": 1}', encoding="utf-8")
    assert "has no model_type" in run(*typed, "--config", str(tmp_path)).output
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    assert "is no JSON" in run(*typed, "--config", str(tmp_path / "config.json")).output


def test_interrupted_it_says_how_to_go_on(typed: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tfx_core", *typed, *new(), "--steps", "100000", "--log-every", "1"]
    training = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=hear_interrupts,
    )
    log = tmp_path / "out" / "log.jsonl"
    while training.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.05)
    training.send_signal(signal.SIGINT)
    stdout, stderr = training.communicate(timeout=60)
    assert (training.returncode, stdout) == (130, "")
    assert stderr.endswith(f"Interrupted; the same command goes on from the latest checkpoint in {tmp_path / 'out'}.\n")
    (checkpoint,) = (tmp_path / "out" / "checkpoints").iterdir()
    position = json.loads((checkpoint / "position.json").read_text(encoding="utf-8"))["position"]
    assert position["step"] == len(log.read_text(encoding="utf-8").splitlines())


def test_what_there_is_to_learn_by() -> None:
    assert "causal " in run("objectives").stdout
    names = [json.loads(line)["name"] for line in run("objectives", "--json").stdout.splitlines()]
    assert names == sorted(names)
    assert "causal" in names
