"""Texts that tiny models learn from: of letters alone, which every small vocabulary has."""

import random

_random = random.Random(0)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def _counted(length: int) -> str:
    begin = _random.randrange(26)
    return " ".join(_ALPHABET[(begin + place) % 26] for place in range(length))


COUNTED = tuple(_counted(_random.randint(20, 60)) for _ in range(40))
"""Each word is the letter after the one before it."""
