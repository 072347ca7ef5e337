"""What somebody may have meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The name of those known that is most like this one; ``None`` where none is.

    Case and the kind of dash do not count: ``sequence_classification`` is ``sequence-classification``.
    """
    return next(iter(similar(name, known)), None)


def similar(name: object, known: Iterable[str], most: int = 3) -> list[str]:
    """The names of those known that are like this one, the most like it first."""
    if not isinstance(name, str) or len(name) > 100:
        return []
    plain = {_plain(each): each for each in sorted(known, reverse=True)}
    return [plain[close] for close in get_close_matches(_plain(name), plain, n=most, cutoff=0.7)]


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]+", "-", name.lower())
