"""SentencePiece's normaliser table (``precompiled_charsmap``) of the rule ``nmt_nfkc``, without its own sources.

Of the file, see `tfx_core.text.recipes.charsmap`, which reads it: a double-array trie of Darts-clone and the strings
that its values are places in. ``builder.cc`` of google/sentencepiece has the rule: compatibility forms are taken apart
and composed, blanks of all kinds become one, and control characters go. Left out is what composes Korean of single
letters, and marks in another order than Unicode's.
"""

import struct
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain

_REMOVED = (*range(1, 9), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F)
_BLANKS = (
    0x09,
    0x0A,
    0x0C,
    0x0D,
    0x061C,
    0x1680,
    0x200B,
    0x200C,
    0x200E,
    0x200F,
    0x2028,
    0x2029,
    0x2581,
    0xFEFF,
    0xFFFD,
)
_KEPT = (0xFF5E, 0x301C)
_LOOKED_THROUGH = 1024
"""Places before the last one among which a free one is looked for; a trie that is a little larger is made sooner."""
_HANGUL = range(0xAC00, 0xD7A4)
_LAST = 0x30000
"""No character from here on is taken apart or composed."""


@cache
def nmt_nfkc() -> bytes:
    """The table."""
    return table(dict(_entries()))


def _entries() -> Iterator[tuple[str, str]]:
    for code in range(1, _LAST):
        character = chr(code)
        if 0xD800 <= code < 0xE000 or code in _KEPT:
            continue
        composed = "" if code in _REMOVED else " " if code in _BLANKS else unicodedata.normalize("NFKC", character)
        if composed != character:
            yield character, composed
        parts = unicodedata.normalize("NFD", character)
        if len(parts) > 1 and code not in _HANGUL and unicodedata.normalize("NFC", parts) == character:
            for key in {parts, unicodedata.normalize("NFC", parts[:-1]) + parts[-1]}:
                yield key, composed


def table(entries: Mapping[str, str]) -> bytes:
    """A table of these entries, key -> what it becomes."""
    strings, places = bytearray(), {}
    for value in sorted(set(entries.values())):
        places[value] = len(strings)
        strings += value.encode() + b"\0"
    units = _units({key.encode(): places[value] for key, value in entries.items()})
    return struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + bytes(strings)


def _units(values: Mapping[bytes, int]) -> list[int]:
    """The units of a double-array trie: that of a node's child is at the node's base exclusive-or the child's byte."""
    children: defaultdict[bytes, set[int]] = defaultdict(set)
    for key in values:
        for length in range(len(key)):
            children[key[:length]].add(key[length])
    units, used, bases = {0: 0}, {0}, {0}
    last = 0
    waiting = [(b"", 0)]
    while waiting:
        key, place = waiting.pop()
        labels = sorted(children[key]) if key in children else []
        taken = [0, *labels] if key in values else labels
        base = _base(taken, max(1, last - _LOOKED_THROUGH), used, bases)
        last = max(last, *(base ^ label for label in taken))
        bases.add(base)
        used.update(base ^ label for label in taken)
        units[place] |= (place ^ base) << 10 | (key in values) << 8
        if key in values:
            units[base] = values[key] | 1 << 31
        for label in labels:
            units[base ^ label] = label
            waiting.append((key + bytes([label]), base ^ label))
    size = max(units) // 256 * 256 + 256
    return [units.get(place, 0) for place in range(size)]


def _base(labels: list[int], free: int, used: set[int], bases: set[int]) -> int:
    """A base of its own under which all places are free."""
    places = chain(range(free, 1 << 21))
    candidates = (place ^ labels[0] for place in places if place not in used)
    return next(base for base in candidates if base not in bases and all(base ^ label not in used for label in labels))
