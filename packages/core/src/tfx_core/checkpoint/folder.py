"""The files of a checkpoint, by name, and the JSON objects in them."""

import json
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

from tfx_core.errors import CheckpointError, shown


class Folder(ABC):
    """The files of one checkpoint by name; ``label`` is what messages call it."""

    label: str

    @abstractmethod
    def _find(self, name: str) -> Path | None: ...

    def path(self, name: str) -> Path | None:
        """The local file of this name (downloaded if need be), ``None`` when there is none.

        ``name`` may lie in a subfolder, ``"1_Pooling/config.json"``, but not outside the checkpoint: names also come
        out of files that a stranger wrote. Raises `CheckpointError` for such a name, and for one that no file can have,
        and `HubError` for a failed download.
        """
        if {"", ".", ".."} & set(name.split("/")) or "\\" in name or "\0" in name or PureWindowsPath(name).drive:
            raise CheckpointError(
                f"{self.label}: file name {shown(name)} may lead out of the folder; it must be relative, with '/' in "
                "between"
            )
        if not _can_be_a_file(name):
            raise CheckpointError(f"{self.label}: {shown(name)} is too long for the name of a file, or no Unicode")
        return self._find(name)

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


def _can_be_a_file(name: str) -> bool:
    """Whether file systems take a name: each part of at most 255 bytes, no surrogates."""
    try:
        return len(name) <= 1024 and all(len(part.encode()) <= 255 for part in name.split("/"))
    except UnicodeEncodeError:
        return False


class LocalFolder(Folder):
    """A folder on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.label = str(root)

    def _find(self, name: str) -> Path | None:
        path = self.root / name
        return path if path.is_file() else None


def read_json(path: Path, label: str) -> dict[str, Any]:
    """The object in a JSON file; raises `CheckpointError` that starts with ``label``."""
    return parse_json(path.read_bytes(), label)


def parse_json(data: bytes, label: str) -> dict[str, Any]:
    """The JSON object in ``data``; raises `CheckpointError` that starts with ``label``."""
    try:
        value = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{label}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{label}: line {error.lineno}, column {error.colno}: {error.msg}") from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
        raise CheckpointError(f"{label}: is not usable JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{label}: holds a JSON {type(value).__name__}; an object {{…}} is expected")
    return value
