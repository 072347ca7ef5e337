"""A corpus of files, tokenized once and kept in a folder, a share of its documents apart for evaluation."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tfx_core import Tokenizer
from tfx_core.checkpoint import replacing_folder, save_errors
from tfx_core.errors import InputError
from tfx_training.corpus.documents import Document
from tfx_training.corpus.fingerprints import is_held_out, sources_fingerprint, tokenizer_fingerprint
from tfx_training.corpus.reading import documents_of
from tfx_training.corpus.records import Reading
from tfx_training.corpus.sources import Source, find_sources
from tfx_training.corpus.store import MANIFEST, Progress, check_replaceable, open_corpus, read_manifest, write_into
from tfx_training.corpus.tokens import TokenCorpus

PARTS = TRAINING, HELD_OUT = "training", "held-out"
"""The folders of the two parts."""


class Prepared(NamedTuple):
    """A corpus that is ready."""

    training: TokenCorpus
    held_out: TokenCorpus | None
    """The documents that were held out; None where none were to be."""


def prepared_corpus(
    paths: Sequence[str | os.PathLike[str]],
    tokenizer: Tokenizer,
    folder: str | os.PathLike[str],
    *,
    reading: Reading | None = None,
    held_out: float = 0.0,
    progress: Progress | None = None,
) -> Prepared:
    """The corpus in ``folder``, made of the files first where it is not there, or is of other files or settings.

    ``held_out`` is the share of documents that are kept apart, each by what its texts are, so that it stays where it is
    whatever comes to the corpus. Files are known by name, bytes and time of change, data sets on a hub by their names
    alone. Raises `InputError` for what cannot be read, for a folder that holds something else, and where nothing is
    left on either side. Of several processes one prepares, and then the others open.
    """
    if not 0 <= held_out < 1:
        raise InputError(f"held_out={held_out}: the share of documents must be from 0 to below 1")
    reading = reading or Reading()
    place = Path(os.path.expanduser(folder))
    sources = find_sources(paths, reading)
    files = [file for source in sources for file in source.files]
    names = [source.name for source in sources if not source.files]
    fingerprint = sources_fingerprint(files, {**reading.options, "held_out": held_out, "names": names})
    check_replaceable(place, f"{TRAINING}/{MANIFEST}")
    if not _is_of(place, fingerprint, tokenizer, parts=PARTS[: 2 if held_out else 1]):
        _write(place, sources, reading, tokenizer, held_out, fingerprint, progress)
    return Prepared(open_corpus(place / TRAINING), open_corpus(place / HELD_OUT) if held_out else None)


def _is_of(folder: Path, sources: str, tokenizer: Tokenizer, parts: Sequence[str]) -> bool:
    """Whether a folder has the corpus of these sources and this tokenizer."""
    if not all((folder / part / MANIFEST).is_file() for part in parts):
        return False
    manifest = read_manifest(folder / TRAINING)
    return bool(manifest["sources"] == sources and manifest["tokenizer"] == tokenizer_fingerprint(tokenizer))


def _write(
    folder: Path,
    sources: Sequence[Source],
    reading: Reading,
    tokenizer: Tokenizer,
    share: float,
    fingerprint: str,
    progress: Progress | None,
) -> None:
    def documents(held_out: bool) -> Iterator[Document]:
        for document in documents_of(sources, reading):
            if is_held_out(document, share) == held_out:
                if progress is not None:
                    progress(sum(len(part.text.encode()) for part in document.parts))
                yield document

    with save_errors(folder, InputError), replacing_folder(folder) as new:
        for name, held_out in ((TRAINING, False), (HELD_OUT, True))[: 2 if share else 1]:
            (new / name).mkdir()
            empty = f"held_out={share}: no document is left for {name}; take another share, or more documents"
            write_into(new / name, documents(held_out), tokenizer, fingerprint, empty=empty if share else None)
