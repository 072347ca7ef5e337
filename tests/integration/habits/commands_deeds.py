"""Habits of ``transformers-cli`` and ``transformers``, typed after ``tfx-core``."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.integration.habits.world import World
from tfx_core.cli import cli
from tfx_core.habits import commands


def typed(*words: str) -> Callable[[World], object]:
    return lambda world: cli(words, standalone_mode=False)


def results(world: World, *options: str) -> list[object]:
    """What a run with these options writes into a file."""
    out = Path(world.root, "out.jsonl")
    folder = str(world.folder("bert", "masked-lm"))
    words = ("run", "fill-mask", "--model", folder, "--output", str(out), "--json", *options, "a [MASK]")
    cli(words, standalone_mode=False)
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def into_a_file(world: World) -> None:
    assert len(results(world)) == 1


def on_the_cpu(world: World) -> None:
    assert results(world, "--device", "-1") == results(world, "--device", "cpu")


RUN = ("run", "fill-mask", "--model", "m")

DEEDS = {
    ("tfx-core", "run --model"): into_a_file,
    ("tfx-core", "run --output"): into_a_file,
    ("tfx-core", "run --device 0"): on_the_cpu,
    ("tfx-core", "--task"): typed("run", "--task", "fill-mask"),
    ("tfx-core", "--input"): typed(*RUN, "--input", "texts.txt"),
    ("tfx-core", "--format"): typed(*RUN, "--format", "json"),
    ("tfx-core", "--column"): typed(*RUN, "--column", "text"),
    ("tfx-core", "--framework"): typed(*RUN, "--framework", "pt"),
    **{("tfx-core", name): typed(*RUN, name, "1") for name in commands.TRAINING},
    **{("tfx-core", name): typed(name) for name in ("chat", "env", "download", "serve", "add-new-model-like")},
}
