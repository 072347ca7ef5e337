"""Strings that are nearly the same: found by the character n-grams that they share, and kept on one side of a split."""

import json
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

NEAR = 0.6
"""Strings that share at least this much of their n-grams (Jaccard) are near-duplicates."""

Pair = tuple[str, str]
Target = TypeVar("Target")


class TooFewError(ValueError):
    """Strings that are not enough to hold some of them out."""


def simplified(text: str) -> str:
    """The text without case, punctuation and differences between numbers."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"\d+", "0", text)
    return " ".join(re.sub(r"[^\w\s]|_", " ", text).split())


def grams(text: str, length: int = 3) -> frozenset[str]:
    """The character n-grams of a text, with its ends."""
    padded = f" {simplified(text)} "
    return frozenset(padded[place : place + length] for place in range(max(1, len(padded) - length + 1)))


class Likeness:
    """How alike a text is to each of these texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        sets = [grams(text) for text in texts]
        places: dict[str, list[int]] = defaultdict(list)
        for place, each in enumerate(sets):
            for gram in each:
                places[gram].append(place)
        self._sizes = np.array([len(each) for each in sets])
        self._with = {gram: np.array(found) for gram, found in places.items()}

    def __call__(self, text: str) -> NDArray[np.float64]:
        """Share of the n-grams of both that both have, from 0 to 1, for each text ``(N,)``."""
        mine = grams(text)
        found = [self._with[gram] for gram in mine if gram in self._with]
        if not found:
            return np.zeros(len(self._sizes))
        shared = np.bincount(np.concatenate(found), minlength=len(self._sizes))
        return shared / (len(mine) + self._sizes - shared)


def groups(texts: Sequence[str]) -> list[list[int]]:
    """Places of the texts, in groups that near-duplicates join, also over several steps."""
    kinds = list({simplified(text): text for text in texts}.values())
    likeness = Likeness(kinds)
    parent = list(range(len(kinds)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = place = parent[parent[place]]
        return place

    for place, text in enumerate(kinds):
        for other in np.flatnonzero(likeness(text)[:place] >= NEAR):
            parent[root(int(other))] = root(place)
    number = {simplified(text): root(place) for place, text in enumerate(kinds)}
    found: dict[int, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        found[number[simplified(text)]].append(place)
    return list(found.values())


def split(
    pairs: Sequence[tuple[str, Target]], held_out: int, seed: int = 0
) -> tuple[list[tuple[str, Target]], list[tuple[str, Target]], list[tuple[str, Target]]]:
    """Pairs to learn from, half of ``held_out`` to watch meanwhile, and ``held_out`` to measure with at the end.

    Whole groups of near-duplicate sources are held out, and one pair of each measured.
    """
    found = groups([source for source, _ in pairs])
    generator = random.Random(seed)
    generator.shuffle(found)
    watched = held_out // 2
    if len(found) < 4 * (held_out + watched):
        raise TooFewError(f"{len(found)} different strings: too few to hold out {held_out + watched} of them")
    apart = [pairs[generator.choice(group)] for group in found[: held_out + watched]]
    training = [pairs[place] for group in found[held_out + watched :] for place in group]
    return training, apart[:watched], apart[watched:]


class TranslationMemory:
    """What a translator's memory offers: the target of the known source that is most like the new one."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self._likeness = Likeness([source for source, _ in pairs])

    @classmethod
    def read(cls, file: Path) -> "TranslationMemory":
        """What `write` has stored."""
        return cls([json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()])

    def write(self, file: Path) -> None:
        """Store for `read`, a pair a line."""
        lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in self._pairs]
        file.write_text("".join(lines), encoding="utf-8")

    def __call__(self, source: str) -> str:
        """The nearest known source's target; the source itself where none has anything in common with it."""
        return self.nearest(source) or source

    def nearest(self, source: str, below: float = 2.0) -> str | None:
        """The target of the most similar of the known sources that are less alike than ``below``, if there is one."""
        likeness = self._likeness(source)
        likeness[likeness >= below] = 0
        best = int(likeness.argmax())
        return self._pairs[best][1] if likeness[best] else None
