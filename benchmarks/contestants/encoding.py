"""What the contestants in encoding are given to do, and how long they take; runs in every contestant's environment."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from stored import Stored

Encode = Callable[[list[Any]], np.ndarray]
"""Texts -> the states ``(T, D)`` of all their tokens, one after another; of written ones their vectors ``(N, D)``."""

ENOUGH = 1.0
"""Seconds after which texts are not encoded again."""


@dataclass(frozen=True)
class Work(Stored):
    """Texts to encode."""

    model: str
    """Folder of the model."""
    onnx: str
    """Folder with the same model as `to_onnx.py` writes it."""
    threads: int
    written: bool
    """Whether texts are written, for a whole sentence encoder; for a model alone they are token ids."""
    texts: dict[str, list[Any]]
    """Name -> texts; ids are one batch."""

    def amount(self, name: str) -> int:
        """How many texts there are; of ids, how many tokens."""
        return len(self.texts[name]) if self.written else sum(map(len, self.texts[name]))


def compete(prepare: Callable[[Work, str], Encode]) -> None:
    """Do the work in the file of the first argument; write what comes out to the second, print how much a second.

    The third one is the type of the weights.
    """
    work, kind = Work.from_file(Path(sys.argv[1])), sys.argv[3]
    started = time.perf_counter()
    encode = prepare(work, kind)
    encode(next(iter(work.texts.values()))[:2])  # the first call builds what later ones reuse
    figures, states = {"ready": time.perf_counter() - started}, {}
    for name, texts in work.texts.items():
        times: list[float] = []
        while sum(times) < ENOUGH:
            started = time.perf_counter()
            states[name] = encode(texts)
            times.append(time.perf_counter() - started)
        figures[name] = work.amount(name) / median(times)
    with Path(sys.argv[2]).open("wb") as target:
        np.savez(target, allow_pickle=False, **states)
    print(json.dumps(figures))
