"""Building, keeping and searching an index of passages: text in, passages out."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from tfx_core.checkpoint import Folder, read_whole, replacing_folder, save_errors
from tfx_core.embedding import Passage, PassageBatch, PassageIndex, PassageIndexKind, RowNumbers, Vectors
from tfx_core.errors import CheckpointError, InputError, PassageIndexError, UnknownNameError
from tfx_core.plugins import IndexSpec, registry
from tfx_retrieval.manifest import (
    MANIFEST,
    Manifest,
    ModelIdentity,
    check_files,
    read_manifest,
    record_files,
    write_manifest,
)
from tfx_retrieval.probes import PROBES, SAME_MODEL, SAME_RESULT, Encoder, distance, probe, read_probes
from tfx_retrieval.sources import PassageDigest

Progress = Callable[[int], object]
"""Called with the number of passages that were embedded since its last call."""

_Read = TypeVar("_Read")

_CHUNK = 4096
"""Passages that are embedded in one call: enough to sort by length well, few enough to hold."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found."""

    rank: int
    """1 for the best."""

    score: float
    """Inner product of question and passage; their cosine where the model normalises."""

    row: int
    passage: Passage


class SearchIndex:
    """An open index, with the encoder that questions go through if there is one."""

    def __init__(self, index: PassageIndex, manifest: Manifest, encoder: Encoder | None = None) -> None:
        self.index = index
        self.manifest = manifest
        self.encoder = encoder

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self.index.dimension

    def __len__(self) -> int:
        return len(self.index)

    def search(self, questions: Sequence[str], k: int = 5) -> list[list[Hit]]:
        """Find the ``k`` best passages for each question, the best first."""
        if isinstance(questions, str):
            raise InputError("questions: give a list of questions, not one string")
        if self.encoder is None:
            raise InputError("the index was opened without an encoder; give one to open_index, or use search_vectors")
        if not questions:
            return []
        scores, rows = self.search_vectors(self.encoder.encode_query(questions), k)
        return [self._hits(*found) for found in zip(scores, rows, strict=True)]

    def search_vectors(self, queries: Vectors, k: int) -> tuple[Vectors, RowNumbers]:
        """Find rows by vector: scores and rows, see `tfx_core.PassageIndex.search_vectors`."""
        return self.index.search_vectors(queries, k)

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows."""
        return self.index.passages(rows)

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return the vectors of these rows, (len(rows), D)."""
        return self.index.vectors(rows)

    def _hits(self, scores: Vectors, rows: RowNumbers) -> list[Hit]:
        found = [(float(score), int(row)) for score, row in zip(scores, rows, strict=True) if row >= 0]
        passages = self.passages([row for _, row in found])
        return [
            Hit(rank, score, row, passage)
            for rank, ((score, row), passage) in enumerate(zip(found, passages, strict=True), start=1)
        ]


def build_index(
    passages: Iterable[Passage],
    encoder: Encoder,
    folder: str | Path,
    *,
    kind: str = "flat",
    options: Mapping[str, str] | None = None,
    topic_prefix: bool = True,
    model: ModelIdentity | None = None,
    progress: Progress | None = None,
) -> SearchIndex:
    """Embed passages and keep them in a folder, which is replaced whole or, on any failure, left as it was.

    With ``topic_prefix`` a passage is embedded as ``"topic: text"``. ``passages`` is read once, a few thousand at a
    time. ``model`` says where the encoder comes from; by default its own ``name``, if it has one. Raises `InputError`
    for no passages at all, or a folder that holds anything but an index, and `PassageIndexError` when it cannot be
    written.
    """

    def embedded() -> Iterator[PassageBatch]:
        remaining = iter(passages)
        while chunk := list(islice(remaining, _CHUNK)):
            texts = [embedding_text(passage, topic_prefix=topic_prefix) for passage in chunk]
            yield chunk, np.asarray(encoder.encode_document(texts, progress=progress), dtype=np.float32)

    _write(
        embedded(),
        _place(folder),
        dimension=encoder.dimension,
        kind=kind,
        options=options,
        topic_prefix=topic_prefix,
        model=model or identify(encoder),
        probes=lambda: probe(encoder),
    )
    return open_index(folder, encoder)


def write_index(
    batches: Iterable[PassageBatch],
    folder: str | Path,
    *,
    dimension: int,
    kind: str = "flat",
    options: Mapping[str, str] | None = None,
) -> None:
    """Keep passages with vectors made elsewhere, (len(passages), dimension) float32 a batch; see `build_index`.

    Such an index is searched by vector, or with an encoder that is not checked against it.
    """
    _write(batches, _place(folder), dimension=dimension, kind=kind, options=options)


def _place(folder: str | Path) -> Path:
    if not os.fspath(folder):
        raise PassageIndexError("an empty string names no index; give a folder")
    return Path(os.path.expanduser(folder))


class _Counted:
    """Batches, read once, with the number and the digest of the passages that came by."""

    def __init__(self, batches: Iterable[PassageBatch]) -> None:
        self._batches = batches
        self.count = 0
        self.digest = PassageDigest()

    def __iter__(self) -> Iterator[PassageBatch]:
        for passages, vectors in self._batches:
            for passage in passages:
                self.digest.add(passage)
            self.count += len(passages)
            yield passages, vectors


def _write(
    batches: Iterable[PassageBatch],
    folder: Path,
    *,
    dimension: int,
    kind: str,
    options: Mapping[str, str] | None,
    topic_prefix: bool = False,
    model: ModelIdentity | None = None,
    probes: Callable[[], Vectors] | None = None,
) -> None:
    with save_errors(folder, PassageIndexError):
        check_replaceable(folder)
    keeper = _kind(kind)
    options = dict(options or {})
    counted = _Counted(batches)
    with save_errors(folder, PassageIndexError), replacing_folder(folder) as fresh:
        keeper.write(fresh, counted, dimension=dimension, options=options)
        if counted.count == 0:
            raise InputError("no passages: an index needs at least one")
        if probes is not None:
            np.save(fresh / PROBES, probes(), allow_pickle=False)
        manifest = Manifest(
            kind=kind,
            count=counted.count,
            dimension=dimension,
            passages=counted.digest.value(),
            topic_prefix=topic_prefix,
            model=model,
            probed=probes is not None,
            options=options,
            files=record_files(fresh),
        )
        write_manifest(fresh, manifest)
        check_replaceable(folder)  # again, for a build can take hours


def open_index(
    folder: str | Path, encoder: Encoder | None = None, *, model: ModelIdentity | None = None
) -> SearchIndex:
    """Open an index folder after checking every file in it.

    ``encoder`` embeds the questions of `SearchIndex.search`, and ``model`` says where it comes from, as in
    `build_index`. Raises `PassageIndexError` for a folder that is no index, is damaged or cut short, or was made with
    another model than the encoder's. All of it is of one build, also while another build replaces the folder.
    """
    folder = _place(folder)

    def read(files: Folder) -> tuple[Manifest, Vectors | None, PassageIndex]:
        manifest = _checked_manifest(folder, files)
        probes = read_probes(folder, manifest.dimension) if manifest.probed else None
        try:
            opened = _kind(manifest.kind).open(
                folder, count=manifest.count, dimension=manifest.dimension, options=manifest.options
            )
        except (InputError, UnknownNameError) as error:  # what the manifest asks for, here or never
            raise type(error)(f"{folder / MANIFEST}: {error}") from error
        return manifest, probes, opened

    manifest, probes, opened = _of_one_build(folder, read)
    if encoder is not None:
        _check_model(folder, manifest, probes, encoder, model or identify(encoder))
    return SearchIndex(opened, manifest, encoder)


def is_current(folder: Path, wanted: Manifest, encoder: Encoder) -> bool:
    """Say whether a folder holds what building again would give: passages, options and vectors, whole and undamaged."""

    def read(files: Folder) -> Vectors | None:
        manifest = _checked_manifest(folder, files)
        return read_probes(folder, manifest.dimension) if replace(manifest, files={}) == wanted else None

    try:
        probes = _of_one_build(folder, read)
    except PassageIndexError:
        return False
    return probes is not None and distance(probes, probe(encoder)) <= SAME_RESULT


def manifest_of(folder: Path) -> Manifest:
    """Read the manifest of an index, also while a build replaces the folder; its files are not checked."""
    return _of_one_build(folder, lambda files: read_manifest(folder))


def _of_one_build(folder: Path, read: Callable[[Folder], _Read]) -> _Read:
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


def _checked_manifest(folder: Path, files: Folder) -> Manifest:
    """The manifest, when each file that it names is as it was written."""
    manifest = read_manifest(folder)
    for name in manifest.files:
        files.path(name)  # is noted, to be compared at the end
    check_files(folder, manifest)
    return manifest


def embedding_text(passage: Passage, *, topic_prefix: bool) -> str:
    """Give the text that a passage is embedded as."""
    return f"{passage.topic}: {passage.text}" if topic_prefix and passage.topic else passage.text


def identify(encoder: Encoder) -> ModelIdentity | None:
    """Say where an encoder comes from, if it has a ``name``: a folder, or a hub id as ``id@revision``."""
    name = getattr(encoder, "name", None)
    if not isinstance(name, str):
        return None
    hub_id, _, revision = ("", "", "") if Path(name).is_dir() else name.partition("@")
    return model_identity(hub_id or name, revision or None)


def model_identity(name: str, revision: str | None = None) -> ModelIdentity:
    """Give the identity of a hub id, or of a local folder so that it is found from any working directory."""
    return ModelIdentity(str(Path(name).absolute()) if Path(name).is_dir() else name, revision)


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
        return sorted(path.name for path in folder.iterdir() if path.name not in own)

    if strange := _of_one_build(folder, read):
        raise InputError(f"{folder}: also holds {strange[0]!r}, which would go with the old index; move it away")


def _check_model(
    folder: Path, manifest: Manifest, probes: Vectors | None, encoder: Encoder, model: ModelIdentity | None
) -> None:
    """Raise a `PassageIndexError` that names both models unless the encoder puts texts where the index has them."""
    theirs, ours = f"the model {manifest.model or 'of unknown name'}", f"the model {model or 'given'}"
    if encoder.dimension != manifest.dimension:
        raise PassageIndexError(
            f"{folder}: made with {theirs}, whose vectors have {manifest.dimension} numbers; those of {ours} have "
            f"{encoder.dimension}; search the index with its own model, or build it again with the other"
        )
    if probes is None:
        return
    apart = distance(probes, probe(encoder))
    if apart > SAME_MODEL:
        raise PassageIndexError(
            f"{folder}: made with {theirs}, and {ours} puts the same texts elsewhere ({apart:.2f} of "
            "their length away); search the index with its own model, or build it again with the other"
        )


def _kind(name: str) -> PassageIndexKind:
    return cast(PassageIndexKind, registry.load(IndexSpec, name))
