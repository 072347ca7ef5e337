"""An index whose passages change: each change makes the folder anew, of linked files and what is new in it.

Passages that are added are a segment of their own; those that are deleted stay in their files, and are marked. So rows
keep their numbers, and who has the index open goes on with what it opened, until `compacted` writes what is left anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tfx_core.checkpoint import Folder, replacing_folder, save_errors
from tfx_core.embedding import Allowed, Passage, PassageBatch, VectorKind
from tfx_core.errors import InputError, PassageIndexError, shown
from tfx_retrieval.arrays import open_array
from tfx_retrieval.folder import DELETED, Opened, check_replaceable, kind_of, of_one_build
from tfx_retrieval.manifest import (
    Manifest,
    check_files,
    read_manifest,
    record_files,
    segment_name,
    write_manifest,
)
from tfx_retrieval.metadata import IDS, document_of, hashed_ids
from tfx_retrieval.passage_file import OFFSETS, PASSAGES, PassageFile
from tfx_retrieval.probes import PROBES
from tfx_retrieval.segments import SegmentedIndex
from tfx_retrieval.spool import CHUNK, Spool, working_beside
from tfx_retrieval.writing import link_or_copy, write_segment

_LOOKED_AT = 20_000
"""Ids among which the nearest to one that is not there is looked for."""


class Change:
    """What is to change in an index folder; nothing is until `apply`."""

    def __init__(self, folder: Path) -> None:
        def read(files: Folder) -> Manifest:
            manifest = read_manifest(folder)
            ours = {PASSAGES, OFFSETS, IDS, PROBES, DELETED}
            check_files(folder, manifest, [name for name in manifest.files if name.rpartition("/")[2] in ours])
            return manifest

        self.folder = folder
        self.manifest = of_one_build(folder, read)
        self._segments = [
            (PassageFile(folder / segment_name(number), count), _ids(folder / segment_name(number), count))
            for number, count in enumerate(self.manifest.segments)
        ]
        rows = sum(self.manifest.segments)
        deleted = open_array(folder / DELETED, "?", (rows,)) if self.manifest.deleted else np.zeros(rows, bool)
        self._deleted: Allowed = np.array(deleted)

    def refuse_known(self, passages: Sequence[Passage]) -> None:
        """Raise an `InputError` where a passage has an id that another one has in the index."""
        names = {passage.id for passage in passages if passage.id}
        if known := sorted(name for _, name in self._found(names)):
            raise InputError(f"{self.folder}: there is a passage with the id {shown(known[0])}; replace it instead")

    def delete(self, names: Sequence[str], *, documents: bool = False) -> int:
        """Mark the passages of these ids, and of ``documents`` all pieces; gives how many there are.

        Raises `InputError` for ids that there are not.
        """
        found = [*self._found({*names}, documents=documents)]
        present = {document_of(name) if documents else name for _, name in found} | {name for _, name in found}
        if missing := [name for name in dict.fromkeys(names) if name not in present]:
            raise InputError(f"{self.folder}: {self._nothing_of(missing)}")
        self._deleted[[row for row, _ in found]] = True
        return len(found)

    def apply(self, spool: Spool | None = None) -> None:
        """Put the index with this change in the place of the folder, and with what was spooled as a new segment."""
        vectors = None if spool is None else spool.finish()
        segments = (*self.manifest.segments, *([] if vectors is None else [len(vectors)]))
        deleted = np.concatenate([self._deleted, np.zeros(sum(segments) - len(self._deleted), bool)])
        with replacing_folder(self.folder) as fresh:
            kept = {name: record for name, record in self.manifest.files.items() if name != DELETED}
            _link(self.folder, fresh, kept)
            if spool is not None and vectors is not None:
                new = fresh / segment_name(len(segments) - 1)
                new.mkdir()
                write_segment(_vector_kind(self.manifest), new, spool.passages, vectors, self.manifest)
            if deleted.any():
                np.save(fresh / DELETED, deleted, allow_pickle=False)
            left = len(deleted) - int(np.count_nonzero(deleted))
            files = record_files(fresh, kept)
            write_manifest(
                fresh, replace(self.manifest, count=left, passages="", shard="", segments=segments, files=files)
            )
            check_replaceable(self.folder)

    def _found(self, names: set[str], *, documents: bool = False) -> Iterator[tuple[int, str]]:
        """Row and id of the passages of these ids that are not deleted."""
        hashes, start = hashed_ids([*names]), 0
        for passages, ids in self._segments:
            there = np.flatnonzero(np.isin(ids, hashes) & ~self._deleted[start : start + len(ids)])
            for row, passage in zip(there.tolist(), passages.read(there), strict=True):
                if passage.id in names or (documents and document_of(passage.id) in names):
                    yield start + row, passage.id
            start += len(ids)

    def _nothing_of(self, missing: Sequence[str]) -> str:
        there = [name for _, name in self._names()]
        near = {name: get_close_matches(name, there, 1) for name in missing[:3]}
        told = [shown(name) + (f" (the nearest is {close[0]!r})" if close else "") for name, close in near.items()]
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        return f"there is no passage with the id {', '.join(told)}{more}; nothing was changed"

    def _names(self) -> Iterator[tuple[int, str]]:
        row = 0
        for passages, _ in self._segments:
            for passage in passages:
                if row == _LOOKED_AT:
                    return
                if not self._deleted[row]:
                    yield row, passage.id
                row += 1


@contextmanager
def changing(folder: Path, *, embedding: bool = True) -> Iterator[tuple[Change, Path]]:
    """The right to change an index, which one process has at a time, and the place where new passages are embedded."""
    with save_errors(folder, PassageIndexError):
        check_replaceable(folder)
        read_manifest(folder)  # knows what to say where there is none
        with working_beside(folder, embedding=embedding) as place:
            yield Change(folder), place


def batches_of(opened: Opened) -> Iterator[PassageBatch]:
    """Passages and vectors of an open index, those that were deleted left out."""
    index = opened.index
    if not isinstance(index, SegmentedIndex):
        raise InputError(f"an index of kind {opened.manifest.kind!r} has its passages elsewhere, not in its folder")
    rows = np.arange(index.rows) if index.deleted is None else np.flatnonzero(~index.deleted)
    for first in range(0, len(rows), CHUNK):
        some = rows[first : first + CHUNK]
        yield index.passages(some), index.vectors(some)


def keeps_vectors(manifest: Manifest) -> bool:
    """Whether an index has the vectors as they were made."""
    kind = kind_of(manifest.kind)
    return isinstance(kind, VectorKind) and kind.keeps_vectors


def _vector_kind(manifest: Manifest) -> VectorKind:
    kind = kind_of(manifest.kind)
    if not isinstance(kind, VectorKind):
        raise InputError(f"an index of kind {manifest.kind!r} is changed where it is kept, not in its folder")
    return kind


def _link(old: Path, new: Path, names: Mapping[str, object]) -> None:
    for name in names:
        (new / name).parent.mkdir(exist_ok=True)
        link_or_copy(old / name, new / name)


def _ids(folder: Path, count: int) -> NDArray[np.uint64]:
    """The hashed ids of a segment; a folder of version 1 does not have them."""
    if (folder / IDS).exists():
        return open_array(folder / IDS, "<u8", (count,))
    return hashed_ids([passage.id for passage in PassageFile(folder, count)])
