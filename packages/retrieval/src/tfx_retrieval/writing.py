"""Index folders as they are written: a segment out of a spool, and the whole folder replaced."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfx_core.checkpoint import replacing_folder, save_errors
from tfx_core.embedding import PassageBatch, StoreKind, VectorKind, Vectors
from tfx_core.errors import PassageIndexError
from tfx_retrieval.folder import check_replaceable, kind_of
from tfx_retrieval.lexical import write_words_of
from tfx_retrieval.manifest import Manifest, record_files, write_manifest
from tfx_retrieval.metadata import write_columns
from tfx_retrieval.passage_file import PASSAGES, PassageFile, write_offsets
from tfx_retrieval.probes import PROBES
from tfx_retrieval.spool import CHUNK, Spool, working_beside


@contextmanager
def replaced_in(folder: Path) -> Iterator[Path]:
    """The place in which an index that will be in ``folder`` is built, see `working_beside`.

    A folder that cannot be replaced is refused before anything is embedded.
    """
    with save_errors(folder, PassageIndexError):
        check_replaceable(folder)
        with working_beside(folder) as place:
            yield place


def write_folder(
    folder: Path,
    spool: Spool,
    manifest: Manifest,
    probes: Vectors | None = None,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Put an index of what was spooled in the place of a folder; the manifest has all but what the spool knows."""
    vectors = spool.finish()
    kind = kind_of(manifest.kind)
    segments: tuple[int, ...] = ()
    with replacing_folder(folder) as fresh:
        if isinstance(kind, StoreKind):
            _fill(kind, spool, vectors, manifest.options)
        else:
            write_segment(kind, fresh, spool.passages, vectors, manifest, progress)
            segments = (len(vectors),)
        if probes is not None:
            np.save(fresh / PROBES, probes, allow_pickle=False)
        complete = replace(manifest, count=len(vectors), passages=spool.digest.value(), segments=segments)
        write_manifest(fresh, replace(complete, files=record_files(fresh)))
        check_replaceable(folder)  # again, for a build can take hours


def write_segment(
    kind: VectorKind,
    folder: Path,
    passages: Path,
    vectors: Vectors,
    manifest: Manifest,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write the files of a segment of an index with this manifest into a folder that exists."""
    kind.write(folder, vectors, options=manifest.options, progress=progress)
    link_or_copy(passages, folder / PASSAGES)
    write_columns(folder, write_offsets(folder))
    if manifest.lexical:
        write_words_of(folder, topic_prefix=manifest.topic_prefix)


def _fill(kind: StoreKind, spool: Spool, vectors: Vectors, options: Mapping[str, str]) -> None:
    store = kind.create(options, dimension=spool.dimension)
    try:
        store.add(_batches(spool, vectors))
        kind.publish(store)
    except BaseException:
        kind.discard(store)
        raise


def _batches(spool: Spool, vectors: Vectors) -> Iterator[PassageBatch]:
    write_offsets(spool.passages.parent)
    passages = PassageFile(spool.passages.parent, len(vectors))
    for first in range(0, len(vectors), CHUNK):
        rows = range(first, min(first + CHUNK, len(vectors)))
        yield passages.read(rows), np.asarray(vectors[first : first + CHUNK])


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that nobody changes a second name, or a copy where the file system has no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
