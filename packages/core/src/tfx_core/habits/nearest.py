"""What somebody may have meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The name of those known that is most like this one; ``None`` where none is.

    Case and the kind of dash do not count: ``sequence_classification`` is ``sequence-classification``.
    """
    if not isinstance(name, str) or len(name) > 100:
        return None
    plain = {_plain(each): each for each in sorted(known, reverse=True)}
    close = get_close_matches(_plain(name), plain, n=1, cutoff=0.7)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]+", "-", name.lower())
