"""``passage-index.json``: what an index folder holds, of which passages and model, with a checksum for every file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from tfx_core.checkpoint import parse_json
from tfx_core.errors import CheckpointError, PassageIndexError, shown

_Value = TypeVar("_Value")

MANIFEST = "passage-index.json"
FORMAT_VERSION = 1
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
    dimension: int

    passages: str
    """Digest of the passages, see `tfx_retrieval.sources.PassageDigest`."""

    topic_prefix: bool = True
    """Whether each passage was embedded with its topic before it."""

    model: ModelIdentity | None = None
    """None where the vectors were given without an encoder, or it did not know its name."""

    probed: bool = False
    """Whether the vectors that the model gives fixed texts are kept too, see `tfx_retrieval.probes`."""

    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the index kind."""

    files: Mapping[str, FileRecord] = field(default_factory=dict)
    """Every file of the folder but this one."""

    metric: str = "inner-product"
    version: int = FORMAT_VERSION


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Measure every file in a folder."""
    return {path.name: _measure(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}


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
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise PassageIndexError(
            f"{path}: 'version' is {shown(version)}; this tfx-retrieval reads version {FORMAT_VERSION}; {_DELETE}"
        )
    return _manifest_of(_Values(values, path))


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file with its recorded size and checksum, and refuse a folder in which one differs.

    It comes before anything else reads them: an index that was cut short or damaged on the way ends here, with a
    message, and not inside a library that trusts its input.
    """
    if not manifest.files:
        raise PassageIndexError(f"{folder / MANIFEST}: 'files' names none, so that nothing can be checked; {_REBUILD}")
    for name, recorded in manifest.files.items():
        path = folder / name
        try:
            size = path.stat().st_size if path.is_file() else None
            if size is None:
                raise PassageIndexError(f"{path}: missing from the index; {_REBUILD}")
            if size != recorded.size:
                raise PassageIndexError(f"{path}: {size} bytes, but {recorded.size} were written; {_REBUILD}")
            if _measure(path) != recorded:
                raise PassageIndexError(f"{path}: damaged, its checksum is not the recorded one; {_REBUILD}")
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
        if not 0 <= number < 2**63:
            raise self._wrong(key, int)
        return number

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
    return Manifest(
        kind=values.text("kind"),
        count=values.number("count"),
        dimension=values.number("dimension"),
        passages=values.text("passages"),
        topic_prefix=values.flag("topic_prefix"),
        model=None if values.values.get("model") is None else _identity(values.table("model")),
        probed=values.flag("probed"),
        options={key: options.text(key) for key in options.values},
        files=_files(values.table("files")),
    )


def _identity(values: _Values) -> ModelIdentity:
    revision = None if values.values.get("revision") is None else values.text("revision")
    return ModelIdentity(values.text("name"), revision)


def _files(values: _Values) -> dict[str, FileRecord]:
    files = {}
    for name in values.values:
        if name in ("", ".", "..", MANIFEST) or Path(name).name != name or "\\" in name or "\0" in name:
            raise PassageIndexError(f"{values.path}: 'files' names {shown(name)}, which is not a file of the folder")
        entry = values.table(name)
        files[name] = FileRecord(entry.number("size"), entry.text("sha256"))
    return files
