"""Passages in a file of JSON Lines that is read in place: only what is asked for is decoded.

``passages.jsonl`` has one object a line with ``id``, ``topic``, ``text`` and, where there is some, ``metadata``;
``passages.offsets.npy`` holds where each line starts and, last, the file's size (int64, count + 1).
"""

import json
import math
import mmap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfx_core.checkpoint import parse_json
from tfx_core.embedding import Passage, RowNumbers
from tfx_core.errors import CheckpointError, InputError, PassageIndexError, shown
from tfx_retrieval.arrays import new_array, open_array

PASSAGES = "passages.jsonl"
OFFSETS = "passages.offsets.npy"

_PIECE = 1 << 24
"""Bytes that are looked through together."""

_LARGEST = 2**63 - 1


def written_passages(passages: Iterable[Passage]) -> bytes:
    """The lines of passages; raises `InputError` for what no line can hold."""
    return b"".join(map(_line, passages))


def _line(passage: Passage) -> bytes:
    values: dict[str, Any] = {"id": passage.id, "topic": passage.topic, "text": passage.text}
    if passage.metadata:
        values["metadata"] = check_metadata(passage.metadata, f"passage {passage.id!r}")
    try:
        return json.dumps(values, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError as error:
        raise InputError(f"passage {passage.id!r}: holds half of a surrogate pair, which is no character") from error


def check_metadata(values: object, where: str) -> dict[str, Any]:
    """Give metadata as it is kept, or raise an `InputError` that begins with ``where`` and names the field."""
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: the metadata is {shown(values)}; give an object of fields")
    for name, value in values.items():
        if not isinstance(name, str) or not name:
            raise InputError(f"{where}: a field of the metadata is named {shown(name)}; give a text")
        if not is_metadata(value):
            raise InputError(
                f"{where}: {shown(name)} is {shown(value)}; metadata is a text, a number of 64 bits, true or false"
            )
    return dict(values)


def is_metadata(value: object) -> bool:
    """Whether a field of metadata can have a value."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | bool) or (isinstance(value, int) and abs(value) <= _LARGEST)


def write_offsets(folder: Path) -> int:
    """Write where each line of the passages in a folder begins; gives their number."""
    path = folder / PASSAGES
    count = sum(len(ends) for ends in _line_ends(path))
    offsets = new_array(folder / OFFSETS, "<i8", (count + 1,))
    offsets[0] = done = 0
    for ends in _line_ends(path):
        offsets[done + 1 : done + 1 + len(ends)] = ends
        done += len(ends)
    offsets.flush()
    return count


def _line_ends(path: Path) -> Iterator[RowNumbers]:
    start = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n")).astype(np.int64) + (start + 1)
            start += len(piece)


class PassageFile:
    """The passages in a folder, by row."""

    def __init__(self, folder: Path, count: int) -> None:
        self._path = folder / PASSAGES
        self._offsets = open_array(folder / OFFSETS, "<i8", (count + 1,))
        try:
            with self._path.open("rb") as stream:
                self._lines = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise PassageIndexError(f"{self._path}: cannot be read: {error}") from error

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __iter__(self) -> Iterator[Passage]:
        return map(self._passage, range(len(self)))

    def read(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows."""
        return [self._passage(int(row)) for row in check_rows(rows, len(self))]

    def _passage(self, row: int) -> Passage:
        start, end = int(self._offsets[row]), int(self._offsets[row + 1])
        if not 0 <= start < end <= len(self._lines):
            raise PassageIndexError(
                f"{self._path}: line {row + 1} would be bytes {start} to {end} of {len(self._lines)}"
            )
        where = f"{self._path}: line {row + 1} is not a passage"
        try:
            values = parse_json(self._lines[start:end], where)
        except CheckpointError as error:
            raise PassageIndexError(str(error)) from error
        text, topic, name = (values.get(key) for key in ("text", "topic", "id"))
        if not (isinstance(text, str) and isinstance(topic, str) and isinstance(name, str)):
            raise PassageIndexError(f"{where}: text, topic and id must be strings")
        try:
            return Passage(text, topic, name, check_metadata(values.get("metadata", {}), where))
        except InputError as error:
            raise PassageIndexError(str(error)) from error


def check_rows(rows: Sequence[int] | RowNumbers, count: int) -> RowNumbers:
    """Return rows as an array, or raise an `InputError` that names the first one outside 0 … count - 1."""
    given = np.asarray(rows)
    if given.size and given.dtype.kind not in "iu":
        raise InputError(f"rows of type {given.dtype}: give whole numbers")
    checked = given.astype(np.int64).reshape(-1)
    outside = checked[(checked < 0) | (checked >= count)]
    if len(outside):
        raise InputError(f"row {int(outside[0])}: the index has rows 0 to {count - 1}")
    return checked
