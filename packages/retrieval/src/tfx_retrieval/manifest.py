"""``passage-index.json``: what an index folder holds, of which passages and model, with a checksum for every file."""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from tfx_core.checkpoint import parse_json
from tfx_core.errors import CheckpointError, PassageIndexError, shown

_Value = TypeVar("_Value")

MANIFEST = "passage-index.json"
FORMAT_VERSION = 2
_READ_VERSIONS = (1, 2)  # in version 1 there is one segment, and nothing is deleted
_THREADS = 8
_LARGEST = 2**48
"""More than any file has rows; sums of such numbers are of 64 bits."""
_REBUILD = "build it again with `tfx-core index build`"
_DELETE = "delete the folder and build the index again"


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made the vectors: what to load to search, and what to call it in messages."""

    name: str
    """The folder or hub id that it was loaded from."""

    revision: str | None = None

    def __str__(self) -> str:
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


@dataclass(frozen=True)
class FileRecord:
    """Size in bytes and SHA-256 of a file of the folder."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The contents of ``passage-index.json``."""

    kind: str
    """Name of the index kind, as in ``tfx_indexes``."""

    count: int
    """Number of passages that can be found."""

    dimension: int

    passages: str
    """Digest of the passages, see `tfx_retrieval.digest.PassageDigest`; empty once they were changed."""

    topic_prefix: bool = True
    """Whether each passage was embedded with its topic before it."""

    model: ModelIdentity | None = None
    """None where the vectors were given without an encoder, or it did not know its name."""

    probed: bool = False
    """Whether the vectors that the model gives fixed texts are kept too, see `tfx_retrieval.probes`."""

    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the index kind."""

    segments: tuple[int, ...] = ()
    """Rows of each segment: of the first, whose files are in the folder itself, and of those in ``added-1``, …

    None where a service keeps passages and vectors.
    """

    lexical: bool = False
    """Whether the words of each segment are kept too, see `tfx_retrieval.lexical`."""

    shard: str = ""
    """Which part of which passages this is, ``"2/4"`` and their digest, see `tfx_retrieval.shards`."""

    files: Mapping[str, FileRecord] = field(default_factory=dict)
    """Every file of the folder but this one, by its path in the folder."""

    metric: str = "inner-product"
    version: int = FORMAT_VERSION

    @property
    def deleted(self) -> int:
        """Number of rows whose passages were deleted."""
        return max(0, sum(self.segments) - self.count)


def segment_name(number: int) -> str:
    """Where the files of a segment are, from the folder of the index."""
    return f"added-{number}" if number else ""


def record_files(folder: Path, known: Mapping[str, FileRecord] | None = None) -> dict[str, FileRecord]:
    """Measure every file in a folder, but those of which the record is ``known``."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: (known or {}).get(name) or _measure(folder / name) for name in sorted(names) if name != MANIFEST}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest; the other files must be there already."""
    text = json.dumps(asdict(manifest), ensure_ascii=False, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an index folder, or raise a `PassageIndexError` that says what is wrong with it."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise PassageIndexError(
            f"{folder}: no such folder; make the index with `tfx-core index build --output {folder}`"
        )
    if not path.is_file():
        raise PassageIndexError(f"{folder}: not a passage index, it has no {MANIFEST}")
    try:
        values = parse_json(path.read_bytes(), f"{path}: cannot be read")
    except OSError as error:
        raise PassageIndexError(f"{path}: cannot be read: {error.strerror or error}") from error
    except CheckpointError as error:
        raise PassageIndexError(f"{error}; {_DELETE}") from error
    version = values.get("version")
    if version not in _READ_VERSIONS or isinstance(version, bool):
        known = " and ".join(map(str, _READ_VERSIONS))
        raise PassageIndexError(
            f"{path}: 'version' is {shown(version)}; this tfx-retrieval reads versions {known}; {_DELETE}"
        )
    return _manifest_of(_Values(values, path))


def check_files(folder: Path, manifest: Manifest, names: Collection[str] | None = None) -> None:
    """Compare every file, or those ``names``, with size and checksum, and refuse a folder in which one differs.

    It comes before anything else reads them: an index that was cut short or damaged on the way ends here, with a
    message, and not inside a library that trusts its input. Sizes are compared first, for that costs nothing.
    """
    if not manifest.files and manifest.segments:
        raise PassageIndexError(f"{folder / MANIFEST}: 'files' names none, so that nothing can be checked; {_REBUILD}")
    names = manifest.files if names is None else names
    for check in (_check_size, _check_sum):
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:  # which hashing lets run at once
            for _ in threads.map(partial(check, folder), names, [manifest.files[name] for name in names]):
                pass


def _check_size(folder: Path, name: str, recorded: FileRecord) -> None:
    path = folder / name
    with _reading(path):
        size = path.stat().st_size if path.is_file() else None
    if size is None:
        raise PassageIndexError(f"{path}: missing from the index; {_REBUILD}")
    if size != recorded.size:
        raise PassageIndexError(f"{path}: {size} bytes, but {recorded.size} were written; {_REBUILD}")


def _check_sum(folder: Path, name: str, recorded: FileRecord) -> None:
    path = folder / name
    with _reading(path):
        measured = _measure(path)
    if measured != recorded:
        raise PassageIndexError(f"{path}: damaged, its checksum is not the recorded one; {_REBUILD}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PassageIndexError(f"{path}: cannot be read: {error.strerror or error}") from error


def _measure(path: Path) -> FileRecord:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return FileRecord(stream.tell(), digest)


class _Values:
    """An object in the file, whose values are checked when they are read."""

    def __init__(self, values: Mapping[str, object], path: Path) -> None:
        self.values = values
        self.path = path

    def _read(self, key: str, kind: type[_Value]) -> _Value:
        value = self.values.get(key)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._wrong(key, kind)
        return value

    def text(self, key: str) -> str:
        return self._read(key, str)

    def flag(self, key: str) -> bool:
        return self._read(key, bool)

    def number(self, key: str) -> int:
        number = self._read(key, int)
        if not 0 <= number < _LARGEST:
            raise self._wrong(key, int)
        return number

    def numbers(self, key: str) -> list[int]:
        numbers = self._read(key, list)
        if not all(type(number) is int and 0 < number < _LARGEST for number in numbers):
            raise self._wrong(key, list)
        return numbers

    def table(self, key: str) -> "_Values":
        return _Values(self._read(key, dict), self.path)

    def _wrong(self, key: str, kind: type) -> PassageIndexError:
        value = self.values.get(key)
        return PassageIndexError(f"{self.path}: {shown(key)} is {shown(value)}, not a valid {kind.__name__}; {_DELETE}")


def _manifest_of(values: _Values) -> Manifest:
    if values.text("metric") != "inner-product":
        raise PassageIndexError(
            f"{values.path}: 'metric' is {shown(values.text('metric'))}; only 'inner-product' is known"
        )
    options = values.table("options")
    count, segments = values.number("count"), _segments(values)
    if segments and sum(segments) < count:
        raise PassageIndexError(f"{values.path}: {sum(segments)} rows cannot hold {count} passages; {_DELETE}")
    return Manifest(
        kind=values.text("kind"),
        count=count,
        dimension=values.number("dimension"),
        passages=values.text("passages"),
        topic_prefix=values.flag("topic_prefix"),
        model=None if values.values.get("model") is None else _identity(values.table("model")),
        probed=values.flag("probed"),
        options={key: options.text(key) for key in options.values},
        segments=segments,
        lexical=values.flag("lexical") if "lexical" in values.values else False,
        shard=values.text("shard") if "shard" in values.values else "",
        files=_files(values.table("files")),
    )


def _segments(values: _Values) -> tuple[int, ...]:
    """The rows of each segment, at most some thousands: each is a folder that somebody made."""
    if values.values["version"] == 1:
        return (values.number("count"),)
    return tuple(values.numbers("segments"))


def _identity(values: _Values) -> ModelIdentity:
    revision = None if values.values.get("revision") is None else values.text("revision")
    return ModelIdentity(values.text("name"), revision)


def _files(values: _Values) -> dict[str, FileRecord]:
    files = {}
    for name in values.values:
        if name == MANIFEST or not _is_inside(name):
            raise PassageIndexError(f"{values.path}: 'files' names {shown(name)}, which is not a file of the folder")
        entry = values.table(name)
        files[name] = FileRecord(entry.number("size"), entry.text("sha256"))
    return files


def _is_inside(name: str) -> bool:
    """Whether this is the path of a file in a folder, or in a folder in it, written in the one way that we write it."""
    parts = name.split("/")
    return (
        len(parts) <= 2
        and not {"", ".", ".."} & {*parts}
        and not any(mark in name for mark in "\\\0:")
        and PurePosixPath(name).as_posix() == name
    )
