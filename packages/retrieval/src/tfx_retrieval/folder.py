"""The folder of an index, as it is read: all of one build, every file checked, and what may be replaced."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from tfx_core.checkpoint import Folder, read_whole
from tfx_core.embedding import PassageIndex, StoreKind, VectorKind, Vectors
from tfx_core.errors import CheckpointError, InputError, PassageIndexError, UnknownNameError
from tfx_core.plugins import IndexSpec, registry
from tfx_retrieval.arrays import open_array
from tfx_retrieval.lexical import WordIndex, open_words
from tfx_retrieval.manifest import MANIFEST, Manifest, ModelIdentity, check_files, read_manifest, segment_name
from tfx_retrieval.metadata import Columns
from tfx_retrieval.passage_file import PassageFile
from tfx_retrieval.probes import read_probes
from tfx_retrieval.segments import Segment, SegmentedIndex

DELETED = "deleted.npy"
"""Of each row, whether its passage was deleted; there once one was."""

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Opened:
    """What is in the folder of an index."""

    manifest: Manifest
    probes: Vectors | None
    index: PassageIndex


def place_of(folder: str | Path) -> Path:
    """The folder that a user named."""
    if not os.fspath(folder):
        raise PassageIndexError("an empty string names no index; give a folder")
    return Path(os.path.expanduser(folder))


def kind_of(name: str) -> VectorKind | StoreKind:
    """The kind of index of this name."""
    return cast(VectorKind | StoreKind, registry.load(IndexSpec, name))


def kept_options(name: str, options: Mapping[str, str] | None) -> dict[str, str]:
    """The options of a kind as a folder keeps them, after they were checked."""
    kind, given = kind_of(name), dict(options or {})
    if isinstance(kind, StoreKind):
        return dict(kind.check(given))
    kind.check(given)
    return given


def check_lexical(manifest: Manifest) -> None:
    """Raise an `InputError` where words are wanted of passages that a service keeps."""
    if manifest.lexical and isinstance(kind_of(manifest.kind), StoreKind):
        raise InputError(f"lexical: words are kept of passages in files, and {manifest.kind} keeps them itself")


def read_folder(folder: Path, known: Manifest | None = None) -> Opened:
    """Open an index after checking every file in it but those that were checked with the manifest that is ``known``.

    Raises `PassageIndexError`.
    """

    def read(files: Folder) -> Opened:
        manifest = checked_manifest(folder, files, known)
        probes = read_probes(folder, manifest.dimension) if manifest.probed else None
        try:
            return Opened(manifest, probes, _open(folder, manifest))
        except (InputError, UnknownNameError) as error:  # what the manifest asks for, here or never
            raise type(error)(f"{folder / MANIFEST}: {error}") from error

    return of_one_build(folder, read)


def _open(folder: Path, manifest: Manifest) -> PassageIndex:
    kind = kind_of(manifest.kind)
    if isinstance(kind, StoreKind):
        return kind.open(manifest.options, dimension=manifest.dimension)
    if not manifest.segments:
        raise PassageIndexError(f"{folder / MANIFEST}: 'segments' names none; build the index again")
    segments = [
        _segment(kind, folder / segment_name(number), count, manifest) for number, count in enumerate(manifest.segments)
    ]
    deleted = open_array(folder / DELETED, "?", (sum(manifest.segments),)) if manifest.deleted else None
    index = SegmentedIndex(segments, manifest.dimension, deleted, _words(folder, manifest))
    if len(index) != manifest.count:
        raise PassageIndexError(f"{folder / DELETED}: leaves {len(index)} passages of {manifest.count}; build it again")
    return index


def _segment(kind: VectorKind, folder: Path, count: int, manifest: Manifest) -> Segment:
    vectors = kind.open(folder, count=count, dimension=manifest.dimension, options=manifest.options)
    return Segment(vectors, PassageFile(folder, count), Columns(folder, count))


def _words(folder: Path, manifest: Manifest) -> WordIndex | None:
    if not manifest.lexical:
        return None
    return WordIndex(
        [open_words(folder / segment_name(number), count) for number, count in enumerate(manifest.segments)]
    )


def manifest_of(folder: Path) -> Manifest:
    """Read the manifest of an index, also while a build replaces the folder; its files are not checked."""
    return of_one_build(folder, lambda files: read_manifest(folder))


def maker_of(folder: Path, otherwise: str) -> ModelIdentity:
    """The model that an index was made with; where it does not say, an `InputError` asks for what is ``otherwise``."""
    model = manifest_of(folder).model
    if model is None:
        raise InputError(f"{folder}: does not say which model it was made with; give {otherwise}")
    return model


def of_one_build(folder: Path, read: Callable[[Folder], _Read]) -> _Read:
    """What ``read`` makes of an index folder: all of one build, and the errors of one."""

    def read_from_manifest(files: Folder) -> _Read:
        files.path(MANIFEST)  # which every build replaces
        return read(files)

    try:
        return read_whole(folder, read_from_manifest)
    except CheckpointError as error:
        if error.__cause__ is None and not folder.is_dir():  # it is not there, and not because it is being replaced
            read_manifest(folder)  # knows what to say of it
        raise PassageIndexError(str(error)) from error


def checked_manifest(folder: Path, files: Folder, known: Manifest | None = None) -> Manifest:
    """The manifest, when each file that it names, and that is not ``known``, is as it was written."""
    manifest = read_manifest(folder)
    for name in manifest.files:
        files.path(name)  # is noted, to be compared at the end
    checked = {} if known is None else known.files
    check_files(folder, manifest, [name for name in manifest.files if manifest.files[name] != checked.get(name)])
    return manifest


def check_replaceable(folder: Path) -> None:
    """Raise an `InputError` unless a folder is absent, empty, or holds an index and nothing else.

    An index whose manifest is damaged is a `PassageIndexError`: which of the files are its own cannot be known.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; an index is kept in a folder of its own")
    names = {path.name for path in folder.iterdir()}
    if not names:
        return
    if MANIFEST not in names:
        raise InputError(f"{folder}: holds other files and is not an index; give a new or an empty folder")

    def read(files: Folder) -> list[str]:
        own = {MANIFEST, *read_manifest(folder).files}
        folders = {name.partition("/")[0] for name in own if "/" in name}
        found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        return sorted(name for name in found if name not in own and name not in folders)

    if strange := of_one_build(folder, read):
        raise InputError(f"{folder}: also holds {strange[0]!r}, which would go with the old index; move it away")
