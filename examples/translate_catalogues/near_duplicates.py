"""Strings that are nearly the same: found by the character n-grams that they share, and kept on one side of a split."""

import json
import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

NEAR = 0.6
"""Strings that share at least this much of their n-grams (Jaccard) are near-duplicates."""

Pair = tuple[str, str]
Remembered = tuple[str, float]
"""The target of a known source, and how alike that source is, from 0 to 1."""
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
    def read(cls, file: Path) -> tuple["TranslationMemory", float]:
        """What `write` has stored: the memory, and the likeness from which on it answers."""
        with file.open(encoding="utf-8") as lines:
            head, *pairs = map(json.loads, lines)
        return cls(pairs), head["likeness"]

    def write(self, file: Path, likeness: float) -> None:
        """Store for `read`: the likeness from which on the memory answers, then a pair a line."""
        rows = [{"likeness": likeness}, *self._pairs]
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")

    def nearest(self, source: str) -> Remembered:
        """The nearest known source's target; the source itself where none has anything in common with it."""
        likeness = self._likeness(source)
        best = int(likeness.argmax())
        return (self._pairs[best][1] if likeness[best] else source), float(likeness[best])


def together(remembered: Iterable[Remembered], answers: Iterable[str], likeness: float) -> list[str]:
    """The memory's targets where the sources are at least so alike, elsewhere the model's answers."""
    return [
        target if alike >= likeness else answer for (target, alike), answer in zip(remembered, answers, strict=True)
    ]
