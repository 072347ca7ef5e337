"""The files of a checkpoint, by name, and the JSON objects in them."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

from tfx_core.checkpoint.journal import Identity, identity, is_unfinished, settle
from tfx_core.errors import CheckpointError, shown

_LARGEST = 25_000_000
"""Bytes of JSON that are read; where one character is rare, text takes four times that in memory."""

_MOST_VALUES = 600_000
"""Values in them; an empty list is three bytes of a file and sixty of memory."""

_WEB_PAGE = re.compile(rb"\s*<(!doctype html|html[\s>])", re.IGNORECASE)

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Folder(ABC):
    """The files of one checkpoint by name; ``label`` is what messages call it."""

    label: str

    @abstractmethod
    def _find(self, name: str) -> Path | None: ...

    def path(self, name: str) -> Path | None:
        """The local file of this name (downloaded if need be), ``None`` when there is none.

        ``name`` may lie in a subfolder, ``"1_Pooling/config.json"``, but not outside the checkpoint: names also come
        out of files that a stranger wrote. Raises `CheckpointError` for such a name, for one that no file can have and
        for a file that only stands for the one of its name, and `HubError` for a failed download.
        """
        if {"", ".", ".."} & set(name.split("/")) or "\\" in name or "\0" in name or PureWindowsPath(name).drive:
            raise CheckpointError(
                f"{self.label}: file name {shown(name)} may lead out of the folder; it must be relative, with '/' in "
                "between"
            )
        if not _can_be_a_file(name):
            raise CheckpointError(f"{self.label}: {shown(name)} is too long for the name of a file, or no Unicode")
        found = self._find(name)
        stand_in = None if found is None else _stands_in(found)
        if stand_in is not None:
            raise CheckpointError(f"{self.label}/{name}: {stand_in}")
        return found

    def unchanged(self) -> bool:
        """Whether every file that was looked for is still what it was then; a hub's files never change."""
        return True

    def require(self, name: str) -> Path:
        """The local file of this name; raises `CheckpointError` when there is none."""
        path = self.path(name)
        if path is None:
            raise CheckpointError(f"{self.label}: the file {name!r} is missing")
        return path

    def json(self, name: str) -> dict[str, Any] | None:
        """The object in a JSON file, ``None`` when there is no such file.

        A file is read once; what it holds is for reading only. Raises `CheckpointError` that names file and position if
        it is not UTF-8, not JSON or not an object.
        """
        path = None if name in self._parsed else self.path(name)
        if path is not None:
            self._parsed[name] = read_json(path, f"{self.label}/{name}")
        return self._parsed.get(name)

    @cached_property
    def _parsed(self) -> dict[str, dict[str, Any]]:
        return {}


def _stands_in(path: Path) -> str | None:
    """What a file is that stands in the place of another, and the cure; ``None`` for the file itself."""
    try:
        with path.open("rb") as file:
            begin = file.read(100)
    except OSError:  # whoever reads the file says what is wrong
        return None
    if begin.startswith(b"version https://git-lfs.github.com/spec/"):
        return "is a Git LFS pointer in place of the file; run `git lfs pull` in the clone, or download the file"
    if _WEB_PAGE.match(begin):
        return "is a web page saved under this name; download the file itself"
    return None


def _can_be_a_file(name: str) -> bool:
    """Whether file systems take a name: each part of at most 255 bytes, no surrogates."""
    try:
        return len(name) <= 1024 and all(len(part.encode()) <= 255 for part in name.split("/"))
    except UnicodeEncodeError:
        return False


class LocalFolder(Folder):
    """A folder on this machine, where a save may be under way.

    The first look into a folder waits for it, or undoes it if it was killed; raises `CheckpointError` where it cannot.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.label = str(root)
        self._seen: dict[str, Identity | None] = {}
        self._settled: set[Path] = set()

    def unchanged(self) -> bool:
        """Whether no save has come or begun since the first look at each file, whoever wrote it."""
        if any(map(is_unfinished, self._settled)):
            return False
        return all(identity(self.root / name) == seen for name, seen in self._seen.items())

    def _find(self, name: str) -> Path | None:
        path = self.root / name
        if path.parent not in self._settled:
            settle(path.parent)
            self._settled.add(path.parent)
        try:
            found = identity(path)
            is_there = found is not None or path.exists()
        except OSError as error:  # among them that a name is too long
            raise CheckpointError(f"{self.label}: {shown(name)} cannot be read: {error.strerror or error}") from error
        self._seen.setdefault(name, found)
        if found is None and is_there:  # to read a device or a pipe may never end
            raise CheckpointError(f"{path}: is no plain file; put a copy of the file itself there")
        return None if found is None else path


class Subfolder(Folder):
    """A folder inside a checkpoint, local or on the hub."""

    def __init__(self, parent: Folder, name: str) -> None:
        self.parent = parent
        self.name = name
        self.label = f"{parent.label}/{name}"

    def unchanged(self) -> bool:
        """Whether the files of the whole checkpoint are what they were."""
        return self.parent.unchanged()

    def _find(self, name: str) -> Path | None:
        return self.parent.path(f"{self.name}/{name}")


def read_json(path: Path, label: str) -> dict[str, Any]:
    """The object in a JSON file; raises `CheckpointError` that starts with ``label``."""
    return parse_json(read_json_bytes(path, label), label)


def read_json_bytes(path: Path, label: str) -> bytes:
    """What a JSON file holds, not parsed, or as much of it as shows that it is too large; raises `CheckpointError`."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)
    except OSError as error:
        raise CheckpointError(f"{label}: cannot be read: {error.strerror}") from error


def parse_json(data: bytes, label: str) -> dict[str, Any]:
    """The JSON object in ``data``; raises `CheckpointError` that starts with ``label``, as `parse_json_value` does."""
    value = parse_json_value(data, label)
    if not isinstance(value, dict):
        raise CheckpointError(f"{label}: holds a JSON {type(value).__name__}; an object {{…}} is expected")
    return value


def written_json(value: Mapping[str, object]) -> str:
    """The text of a JSON file of ours: of the same values the same text, whoever gives them in which order."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def parse_json_value(data: bytes, label: str) -> Any:
    """The JSON value in ``data``.

    Raises `CheckpointError` that starts with ``label``, also for what other readers understand in another way (a key
    that an object has twice, half of a surrogate pair) and for more than can be held cheaply: 25 MB or 600,000 values.
    """
    values = sum(map(data.count, (b",", b"[", b"{")))
    if len(data) > _LARGEST or values > _MOST_VALUES:
        raise CheckpointError(
            f"{label}: is too large for JSON, {values} values in {len(data)} bytes; up to {_MOST_VALUES} in {_LARGEST} "
            "are read"
        )
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{label}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except UnicodeEncodeError as error:
        raise CheckpointError(f"{label}: holds half of a surrogate pair, which is no character") from error
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{label}: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
        raise CheckpointError(f"{label}: is not usable JSON: {error}") from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"an object has the key {shown(name)} twice; leave one of them")
        values[name] = value
    return values
