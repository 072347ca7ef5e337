"""Passages in a file of JSON Lines that is read in place: only what is asked for is decoded.

``passages.jsonl`` has one object a line with ``id``, ``topic`` and ``text``; ``passages.offsets.npy`` holds where each
line starts and, last, the file's size (int64, count + 1).
"""

import json
import mmap
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tfx_core.checkpoint import parse_json
from tfx_core.embedding import Passage, RowNumbers
from tfx_core.errors import CheckpointError, InputError, PassageIndexError
from tfx_retrieval.arrays import open_array

PASSAGES = "passages.jsonl"
OFFSETS = "passages.offsets.npy"


class PassageWriter:
    """Writes passages one after the other; leaving the context without an error completes the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / PASSAGES).open("xb")
        self._offsets = array("q", [0])

    def add(self, passages: Iterable[Passage]) -> None:
        """Write passages after those written before."""
        for passage in passages:
            values = {"id": passage.id, "topic": passage.topic, "text": passage.text}
            try:
                line = json.dumps(values, ensure_ascii=False).encode() + b"\n"
            except UnicodeEncodeError as error:
                raise InputError(
                    f"passage {passage.id!r}: holds half of a surrogate pair, which is no character"
                ) from error
            self._file.write(line)
            self._offsets.append(self._offsets[-1] + len(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            np.save(self._folder / OFFSETS, np.frombuffer(self._offsets, dtype=np.int64), allow_pickle=False)


class PassageFile:
    """The passages that a `PassageWriter` left, by row."""

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
        return Passage(text, topic, name)


def check_rows(rows: Sequence[int] | RowNumbers, count: int) -> RowNumbers:
    """Return rows as an array, or raise an `InputError` that names the first one outside 0 … count - 1."""
    checked = np.asarray(rows, dtype=np.int64).reshape(-1)
    outside = checked[(checked < 0) | (checked >= count)]
    if len(outside):
        raise InputError(f"row {int(outside[0])}: the index has rows 0 to {count - 1}")
    return checked
