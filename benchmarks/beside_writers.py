"""Readers beside writers that never rest, and writers that are killed: what of it is old or new, mixed, or refused.

Two saves take turns in one folder: a model in one file and in shards, with another config; a tokenizer with other words
and settings; an index with other vectors and passages. Every reader says of all that it gets which save it is of.
"""

import argparse
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tfx_core
from tfx_core.embedding import Passage
from tfx_core.errors import TfxError
from tfx_retrieval import open_index, write_index

Saves = tuple[Callable[[Path, int], object], Callable[[Path], set[int]]]
"""Writes save 0 or 1; reads, and gives the saves that the parts of what was read are of."""

EPSILONS = (1e-5, 1e-6)
LENGTHS = (100, 200)
WORDS = (["one"], ["two", "three"])
REFUSALS = ("is being saved by another process", "were replaced while they were read")


def write_model(folder: Path, save: int) -> None:
    """All weights are the number of the save, and the config has the epsilon that belongs to it."""
    model = MODELS[save] if save in MODELS else MODELS.setdefault(save, make_model(save))
    model.save_pretrained(folder, max_shard_size=("5GB", 20_000)[save])


def make_model(save: int) -> tfx_core.Model:
    """A BERT that tells its save."""
    config: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    model = tfx_core.new_model("bert", **{**config, "vocab_size": 500, "layer_norm_eps": EPSILONS[save]})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(save)
    return model


MODELS: dict[int, tfx_core.Model] = {}


def read_model(folder: Path) -> set[int]:
    """The saves of config and weights."""
    model = tfx_core.load_model(folder)
    weights = {int(number) for parameter in model.parameters() for number in (parameter.min(), parameter.max())}
    return {EPSILONS.index(getattr(model.config, "layer_norm_eps")), *weights}  # noqa: B009  # a field of BERT's


def write_tokenizer(folder: Path, save: int) -> None:
    """Another vocabulary and another longest text."""
    with tempfile.TemporaryDirectory() as name:
        words = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[save]])
        (Path(name) / "vocab.txt").write_text(words + "\n")
        (Path(name) / "config.json").write_text('{"model_type": "bert"}')
        tokenizer = tfx_core.load_tokenizer(name, model_max_length=LENGTHS[save])
    tokenizer.save_pretrained(folder)


def read_tokenizer(folder: Path) -> set[int]:
    """The saves of vocabulary and settings."""
    tokenizer = tfx_core.load_tokenizer(folder)
    lengths = [save for save in (0, 1) if tokenizer.model_max_length == LENGTHS[save]]
    return {len(tokenizer) - 6, *(lengths or [-1])}


def write_passages(folder: Path, save: int) -> None:
    """Vectors and texts are the number of the save."""
    count = (40, 60)[save]
    vectors = np.full((count, 8), save, np.float32)
    write_index([([Passage(str(save))] * count, vectors)], folder, dimension=8)


def read_passages(folder: Path) -> set[int]:
    """The saves of all vectors and all passages."""
    index = open_index(folder)
    rows = range(len(index))
    return {*map(int, index.vectors(rows).flat), *(int(passage.text) for passage in index.passages(rows))}


SUBJECTS: dict[str, Saves] = {
    "model": (write_model, read_model),
    "tokenizer": (write_tokenizer, read_tokenizer),
    "index": (write_passages, read_passages),
}


def act(role: str, subject: str, folder: Path, seconds: float) -> None:
    """What one of the processes does: write or read all the time, and print what came of it."""
    write, read = SUBJECTS[subject]
    end = time.monotonic() + seconds
    seen: Counter[str] = Counter()
    for number in itertools.count():
        if time.monotonic() > end:
            break
        if role == "write":
            write(folder, number % 2)
        else:
            seen[outcome(read, folder)] += 1
    print(repr(dict(seen)))


def outcome(read: Callable[[Path], set[int]], folder: Path) -> str:
    """What a reader gets: old or new, a mixture, or an error, which should be one of those that say why."""
    try:
        saves = read(folder)
    except TfxError as error:
        said = str(error)
        return "refused" if any(refusal in said for refusal in REFUSALS) else f"called faulty: {said[-60:]!r}"
    except Exception as error:
        return f"raw {type(error).__name__}"
    return "whole" if saves in ({0}, {1}) else "mixed"


def start(role: str, subject: str, folder: Path, seconds: float) -> "subprocess.Popen[str]":
    """A process that acts."""
    command = [sys.executable, __file__, "--act", role, subject, str(folder), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def beside(subject: str, folder: Path, seconds: float, writers: int, readers: int) -> Counter[str]:
    """Readers and writers at once."""
    SUBJECTS[subject][0](folder, 0)
    busy = [start("write", subject, folder, seconds + 2) for _ in range(writers)]
    reading = [start("read", subject, folder, seconds) for _ in range(readers)]
    seen: Counter[str] = Counter()
    for process in reading:
        seen.update(eval(process.communicate()[0]))
    for process in busy:
        process.communicate()
        seen["writers that failed"] += process.returncode != 0
    return +seen


def killed(subject: str, folder: Path, kills: int) -> Counter[str]:
    """Writers that are killed, each at another moment; after each the folder is read, and left as it is."""
    write, read = SUBJECTS[subject]
    write(folder, 0)
    chance = random.Random(0)
    seen: Counter[str] = Counter()
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, __file__, "--save", subject, str(folder)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.read(1)
        time.sleep(chance.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if any(folder.parent.glob("**/.saving-*")):
            seen["left something behind"] += 1
        seen[outcome(read, folder)] += 1
    write(folder, 1)
    seen["leftovers after the next save"] = len([*folder.parent.glob("**/.saving-*")])
    return seen


def save_forever(subject: str, folder: Path) -> None:
    """Save in turns, after telling that it begins."""
    write, _ = SUBJECTS[subject]
    with tempfile.TemporaryDirectory() as name:
        for save in (0, 1):  # what is made once is made
            write(Path(name) / "first", save)
    print(end="!", flush=True)
    for number in itertools.count():
        write(folder, number % 2)


def main() -> None:
    """Read the options, and print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="not needed here")
    parser.add_argument("--wheels", help="not needed here")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--writers", type=int, default=1)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--act", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--save", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.act:
        role, subject, folder, seconds = arguments.act
        act(role, subject, Path(folder), float(seconds))
    elif arguments.save:
        save_forever(arguments.save[0], Path(arguments.save[1]))
    else:
        for subject in SUBJECTS:
            with tempfile.TemporaryDirectory() as name:
                seen = beside(subject, Path(name) / "saved", arguments.seconds, arguments.writers, arguments.readers)
                print(f"{subject} beside {arguments.writers} writers: {dict(seen)}", flush=True)
            with tempfile.TemporaryDirectory() as name:
                seen = killed(subject, Path(name) / "saved", arguments.kills)
                print(f"{subject}, {arguments.kills} kills: {dict(seen)}", flush=True)


if __name__ == "__main__":
    main()
