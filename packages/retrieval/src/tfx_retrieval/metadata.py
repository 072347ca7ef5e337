"""Metadata of passages in columns, so that a search is narrowed without reading the passages; and their ids.

``metadata.json`` names the columns: one for each field and type of value. Column number i is in ``metadata.i.npy``, one
value a row: int64, float64, int8 for true and false, or int32, the number of a text in the sorted texts of
``metadata.i.texts``, which begin where ``metadata.i.offsets.npy`` says. A row without a value has the lowest number of
its type, or nan. ``ids.npy`` has 64 bits of a hash of every passage's id, without the number of a piece.
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_core.checkpoint import parse_json
from tfx_core.embedding import Allowed
from tfx_core.errors import CheckpointError, PassageIndexError, shown
from tfx_retrieval.arrays import new_array, open_array
from tfx_retrieval.passage_file import PassageFile
from tfx_retrieval.where import BOUNDS, TYPES, Condition, Value

COLUMNS = "metadata.json"
IDS = "ids.npy"

_MOST_COLUMNS = 1_000
_NUMBERS: Mapping[str, tuple[str, Any]] = {
    "text": ("<i4", -1),
    "integer": ("<i8", np.iinfo(np.int64).min),
    "float": ("<f8", np.nan),
    "flag": ("|i1", -1),
}
"""Of each type of column: the type of its numbers, and what stands for no value."""

_COLUMN_TYPES: Mapping[type, str] = {str: "text", int: "integer", float: "float", bool: "flag"}
_NAMES = {column: TYPES[kind] for kind, column in _COLUMN_TYPES.items()}

_PIECE_NUMBER = re.compile(r"#[0-9]+\Z")


def document_of(name: str) -> str:
    """The id of the document that a passage is a piece of: its own without a number such as ``#3`` at its end."""
    return _PIECE_NUMBER.sub("", name)


def hashed_ids(names: Sequence[str]) -> NDArray[np.uint64]:
    """64 bits for the document of each id, (N,)."""
    hashes = b"".join(
        blake2b(document_of(name).encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names
    )
    return np.frombuffer(hashes, "<u8")


def write_columns(folder: Path, count: int) -> None:
    """Write ids and metadata of the passages in a folder in columns; they are read twice."""
    passages = PassageFile(folder, count)
    ids = new_array(folder / IDS, "<u8", (count,))
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row, passage in enumerate(passages):
        ids[row] = hashed_ids([passage.id])[0]
        for name, value in passage.metadata.items():
            texts = found.setdefault((name, _COLUMN_TYPES[type(value)]), {})
            if isinstance(value, str):
                texts[value] = 0
    ids.flush()
    if found:
        _write_values(folder, passages, dict(sorted(found.items())))


def _write_values(folder: Path, passages: PassageFile, found: Mapping[tuple[str, str], dict[str, int]]) -> None:
    numbers = {}
    for place, ((name, kind), texts) in enumerate(found.items()):
        dtype, absent = _NUMBERS[kind]
        column = new_array(folder / f"metadata.{place}.npy", dtype, (len(passages),))
        column[:] = absent
        numbers[name, kind] = column
        if kind == "text":
            texts.update({text: code for code, text in enumerate(sorted(texts))})
            _write_texts(folder, place, sorted(texts))
    for row, passage in enumerate(passages):
        for name, value in passage.metadata.items():
            key = name, _COLUMN_TYPES[type(value)]
            numbers[key][row] = found[key][value] if isinstance(value, str) else value
    for column in numbers.values():
        column.flush()
    columns = [{"field": name, "type": kind, "texts": len(texts)} for (name, kind), texts in found.items()]
    (folder / COLUMNS).write_text(json.dumps({"columns": columns}, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_texts(folder: Path, place: int, texts: Sequence[str]) -> None:
    encoded = [text.encode() for text in texts]
    (folder / f"metadata.{place}.texts").write_bytes(b"".join(encoded))
    offsets = np.cumsum([0, *map(len, encoded)], dtype="<i8")
    np.save(folder / f"metadata.{place}.offsets.npy", offsets, allow_pickle=False)


class Columns:
    """The metadata of a segment, by field; none where the folder has none."""

    def __init__(self, folder: Path, count: int) -> None:
        self._count = count
        self._columns: dict[str, list[_Column]] = {}
        for place, (name, kind, texts) in enumerate(_read_columns(folder / COLUMNS)):
            self._columns.setdefault(name, []).append(_Column(folder, place, kind, texts, count))

    @property
    def fields(self) -> dict[str, set[str]]:
        """The types of values that each field has."""
        return {name: {_NAMES[column.kind] for column in columns} for name, columns in self._columns.items()}

    def mask(self, condition: Condition) -> Allowed:
        """Which rows fit a condition, (N,)."""
        mask = np.zeros(self._count, bool)
        for column in self._columns.get(condition.name, ()):
            mask |= column.mask(condition)
        return mask


class _Column:
    def __init__(self, folder: Path, place: int, kind: str, texts: int, count: int) -> None:
        self.kind = kind
        dtype, self._absent = _NUMBERS[kind]
        self._numbers = open_array(folder / f"metadata.{place}.npy", dtype, (count,))
        self._texts = _Texts(folder, place, texts) if kind == "text" else None

    def mask(self, condition: Condition) -> Allowed:
        if condition.any_of:
            return self._is_one_of([*self._coded(condition.any_of)])
        if _NAMES[self.kind] not in condition.types:
            return np.zeros(len(self._numbers), bool)
        return self._keeps_to(condition.bounds) & self._has_value()

    def _is_one_of(self, values: Sequence[Value]) -> Allowed:
        """Whether each number is one of these; whole ones apart from others, which would round them."""
        whole = [value for value in values if isinstance(value, int)]
        others = [value for value in values if not isinstance(value, int)]
        return np.isin(self._numbers, whole) | np.isin(self._numbers, others)

    def _coded(self, values: Sequence[Value]) -> Iterator[Value]:
        """The numbers in the column that stand for these values."""
        for value in values:
            if _NAMES[self.kind] != TYPES[type(value)]:
                continue
            if self._texts is None:
                yield value
            elif isinstance(value, str) and (code := self._texts.find(value)) is not None:
                yield code

    def _keeps_to(self, bounds: Mapping[str, Value]) -> Allowed:
        mask = np.ones(len(self._numbers), bool)
        for name, bound in bounds.items():
            if self._texts is None:
                mask &= BOUNDS[name](self._numbers, bound)
            else:  # codes are in the order of their texts
                after = name in ("above", "at_most")
                code = (bisect_right if after else bisect_left)(self._texts, bound)
                mask &= self._numbers >= code if name in ("at_least", "above") else self._numbers < code
        return mask

    def _has_value(self) -> Allowed:
        has_value: Allowed = self._numbers == self._numbers if self.kind == "float" else self._numbers != self._absent
        return has_value


class _Texts(Sequence[str]):
    """Sorted texts in a file, of which a search looks at a few."""

    def __init__(self, folder: Path, place: int, count: int) -> None:
        self._path = folder / f"metadata.{place}.texts"
        self._offsets = open_array(folder / f"metadata.{place}.offsets.npy", "<i8", (count + 1,))
        try:
            size = self._path.stat().st_size
            self._bytes = np.memmap(self._path, np.uint8, "r") if size else np.empty(0, np.uint8)
        except (OSError, ValueError) as error:
            raise PassageIndexError(f"{self._path}: cannot be read: {error}") from error

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, code: Any) -> Any:
        start, end = int(self._offsets[code]), int(self._offsets[code + 1])
        if not 0 <= start <= end <= len(self._bytes):
            raise PassageIndexError(f"{self._path}: text {code} would be bytes {start} to {end} of {len(self._bytes)}")
        try:
            return self._bytes[start:end].tobytes().decode()
        except UnicodeDecodeError as error:
            raise PassageIndexError(f"{self._path}: text {code} is not UTF-8") from error

    def find(self, text: str) -> int | None:
        """The number of a text, if it is there."""
        code = bisect_left(self, text)
        return code if code < len(self) and self[code] == text else None


def _read_columns(path: Path) -> Iterator[tuple[str, str, int]]:
    """Field, type and number of texts of each column."""
    if not path.exists():
        return
    try:
        columns = parse_json(path.read_bytes(), str(path)).get("columns")
    except CheckpointError as error:
        raise PassageIndexError(str(error)) from error
    except OSError as error:
        raise PassageIndexError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not isinstance(columns, list) or len(columns) > _MOST_COLUMNS:
        raise PassageIndexError(f"{path}: 'columns' is {shown(columns)}, not a list of at most {_MOST_COLUMNS} columns")
    for column in columns:
        values = column if isinstance(column, dict) else {}
        name, kind, texts = (values.get(key) for key in ("field", "type", "texts"))
        if not isinstance(name, str) or kind not in _NUMBERS or type(texts) is not int or not 0 <= texts < 2**31:
            raise PassageIndexError(f"{path}: {shown(column)} is not a column")
        yield name, str(kind), texts
