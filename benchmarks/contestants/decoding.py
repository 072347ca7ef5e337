"""What the contestants in decoding are given to do, and how long they take; runs in every contestant's environment."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stored import Stored

Generate = Callable[[list[list[int]], int, int], list[list[int]]]
"""Prompts or sources, number of beams, number of new tokens -> the new tokens of the best text of each."""


@dataclass(frozen=True)
class Work(Stored):
    """Texts to continue or to translate in several ways."""

    model: str
    """Folder of the model."""
    encoder_decoder: bool
    threads: int
    texts: list[list[int]]
    """Token ids; a setting takes as many of them as its batch has."""
    new_tokens: int
    settings: dict[str, tuple[int, int]]
    """Name -> batch, number of beams."""


def compete(prepare: Callable[[Work, str], Generate]) -> None:
    """Do the work in the file of the first argument; write the tokens to the second, print new tokens per second.

    The third one is the type of the weights.
    """
    work, target = Work.from_file(Path(sys.argv[1])), Path(sys.argv[2])
    generate = prepare(work, sys.argv[3])
    figures, tokens = {}, {}
    for name, (batch, beams) in work.settings.items():
        texts = work.texts[:batch]
        generate(texts, beams, 3)  # the first steps build what later ones reuse
        started = time.perf_counter()
        tokens[name] = generate(texts, beams, work.new_tokens)
        figures[name] = batch * work.new_tokens / (time.perf_counter() - started)
        if any(len(each) != work.new_tokens for each in tokens[name]):
            raise RuntimeError(f"{name}: not every text has {work.new_tokens} new tokens")
    target.write_text(json.dumps(tokens), encoding="utf-8")
    print(json.dumps(figures))
