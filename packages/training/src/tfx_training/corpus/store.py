"""A corpus in a folder: an array a file, mapped when it is opened, and a manifest that says of what it was made.

``corpus.json`` has the version of the form, how many tokens, sentences and documents there are, the groups, and
fingerprints of the tokenizer and of what was read; ``ids.npy``, ``word_starts.npy``, ``sentence_ends.npy``,
``document_ends.npy`` and ``groups.npy`` are the arrays of `TokenCorpus`. A folder is written whole or not at all.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tfx_core import Tokenizer
from tfx_core.checkpoint import replacing_folder, save_errors
from tfx_core.errors import InputError, shown
from tfx_training.corpus.collecting import COLUMNS, Collected, dtypes, vocabulary_of
from tfx_training.corpus.documents import Document
from tfx_training.corpus.fingerprints import tokenizer_fingerprint
from tfx_training.corpus.tokens import TokenCorpus

MANIFEST = "corpus.json"
VERSION = 1

Progress = Callable[[int], None]
"""Is told the bytes of each document that was read."""

_CURE = "remove the folder, and it is made anew of its sources"
_CHECKED_TOGETHER = 1 << 22
"""Values of a file that are looked at at once."""


def write_corpus(
    documents: Iterable[Document | str],
    tokenizer: Tokenizer,
    folder: str | os.PathLike[str],
    *,
    sources: str = "",
    progress: Progress | None = None,
) -> TokenCorpus:
    """Tokenize documents into a folder, whole or not at all, and open it; memory does not grow with their number.

    ``sources`` is what `prepared_corpus` knows the documents by. Raises `InputError` for documents without a token, and
    for a folder that holds something else than a corpus.
    """
    place = Path(os.path.expanduser(folder))
    check_replaceable(place, MANIFEST)
    with save_errors(place, InputError), replacing_folder(place) as new:
        write_into(new, _told(documents, progress), tokenizer, sources)
    return open_corpus(place)


def write_into(
    new: Path, documents: Iterable[Document | str], tokenizer: Tokenizer, sources: str, *, empty: str | None = None
) -> None:
    """Write the files of a corpus into an empty folder; ``empty`` is what to say of documents without a token."""
    vocabulary = vocabulary_of(tokenizer)
    with ExitStack() as stack:
        collected = Collected(tokenizer, stack.enter_context(_Files(new, vocabulary)))
        collected.extend(documents)
        corpus = collected.corpus(empty)
    manifest = {
        "version": VERSION,
        "tokens": len(corpus.ids),
        "sentences": len(corpus.sentence_ends),
        "documents": len(corpus),
        "bytes": corpus.size,
        "digest": corpus.digest,
        "groups": list(corpus.group_names),
        "vocabulary": vocabulary,
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "sources": sources,
    }
    (new / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def open_corpus(folder: str | os.PathLike[str], tokenizer: Tokenizer | None = None) -> TokenCorpus:
    """The corpus in a folder, its arrays mapped, so that only what is looked at is read.

    Raises `InputError` where it is none, is damaged or, with a ``tokenizer``, was made by another one. All ids are
    looked at once; of what a mapped file costs, that is a second for a gigabyte.
    """
    place = Path(os.path.expanduser(folder))
    manifest = read_manifest(place)
    label = place / MANIFEST
    if tokenizer is not None and manifest["tokenizer"] != tokenizer_fingerprint(tokenizer):
        raise InputError(f"{label}: was made by another tokenizer; load that one, or {_CURE}")
    columns = {column: _mapped(place / f"{column}.npy", dtypes(manifest["vocabulary"])[column]) for column in COLUMNS}
    corpus = TokenCorpus(
        **columns, group_names=tuple(manifest["groups"]), size=manifest["bytes"], digest=manifest["digest"]
    )
    _check(corpus, manifest, place)
    return corpus


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a corpus; raises `InputError` for a folder without one, and for one of another form."""
    label = folder / MANIFEST
    try:
        manifest = json.loads(label.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{label}: cannot be read: {error.strerror}; a corpus is made by write_corpus") from error
    except ValueError as error:
        raise InputError(f"{label}: is no JSON ({error}); {_CURE}") from error
    if not isinstance(manifest, dict) or manifest.get("version") != VERSION:
        version = manifest.get("version") if isinstance(manifest, dict) else manifest
        raise InputError(f"{label}: version is {shown(version)}, and this library reads {VERSION}; {_CURE}")
    for key, kind in _KEYS.items():
        value = manifest.get(key)
        if not isinstance(value, kind) or isinstance(value, bool) or (isinstance(value, int) and value < 0):
            raise InputError(f"{label}: {key} is {shown(value)}; it must be {_KINDS[kind]}; {_CURE}")
    if not all(isinstance(name, str) for name in manifest["groups"]):
        raise InputError(f"{label}: groups is {shown(manifest['groups'])}; it must be a list of names; {_CURE}")
    return manifest


_KEYS: Mapping[str, type] = {
    **dict.fromkeys(("tokens", "sentences", "documents", "bytes", "digest", "vocabulary"), int),
    **dict.fromkeys(("tokenizer", "sources"), str),
    "groups": list,
}
_KINDS = {int: "a whole number", str: "a string", list: "a list"}


def check_replaceable(folder: Path, manifest: str) -> None:
    """Raise `InputError` for a folder that has files, and no such manifest: it is not ours to replace."""
    if folder.exists() and not (folder.is_dir() and ((folder / manifest).is_file() or not any(folder.iterdir()))):
        raise InputError(f"{folder}: is there already and holds no corpus; name a new folder, or remove this one")


class _Files:
    """Columns as ``.npy`` files, whose headers get the lengths at the end."""

    def __init__(self, folder: Path, vocabulary_size: int) -> None:
        self._folder = folder
        self._types = dtypes(vocabulary_size)
        self._files: dict[str, BinaryIO] = {}
        self._begin: dict[str, int] = {}

    def __enter__(self) -> "_Files":
        for column in COLUMNS:
            self._files[column] = (self._folder / f"{column}.npy").open("wb")
            self._write_header(column, 0)
            self._begin[column] = self._files[column].tell()
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files.values():
            file.close()

    def append(self, column: str, values: NDArray[Any]) -> None:
        """Put values at the end of a column."""
        self._files[column].write(values.tobytes())

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns, mapped."""
        for column, file in self._files.items():
            begin, end = self._begin[column], file.tell()
            file.seek(0)
            self._write_header(column, (end - begin) // self._types[column].itemsize)
            file.flush()
        return {column: _mapped(self._folder / f"{column}.npy", self._types[column]) for column in COLUMNS}

    def _write_header(self, column: str, length: int) -> None:
        # numpy leaves room in a header for a longest length, so that both headers are equally long
        header = {"descr": npy.dtype_to_descr(self._types[column]), "fortran_order": False, "shape": (length,)}
        npy.write_array_header_1_0(self._files[column], header)


def _mapped(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The array of a file; raises `InputError` for what is none, or one of another type."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read: {error}; {_CURE}") from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype != dtype:
        raise InputError(f"{path}: is no array of {dtype} with one axis; {_CURE}")
    return array


def _check(corpus: TokenCorpus, manifest: Mapping[str, Any], folder: Path) -> None:
    """Raise `InputError` for arrays that contradict the manifest or each other."""
    if not manifest["bytes"]:
        raise InputError(
            f"{folder / MANIFEST}: bytes is 0, and texts of {manifest['tokens']} tokens have some; {_CURE}"
        )
    counts = {
        "ids": manifest["tokens"],
        "word_starts": manifest["tokens"],
        "sentence_ends": manifest["sentences"],
        "groups": manifest["sentences"],
        "document_ends": manifest["documents"],
    }
    for column, count in counts.items():
        found = len(getattr(corpus, column))
        if found != count or not count:
            raise InputError(f"{folder / column}.npy: has {found} values, not {count} as {MANIFEST} says; {_CURE}")
    for column, last in (("sentence_ends", manifest["tokens"]), ("document_ends", manifest["sentences"])):
        _check_ends(getattr(corpus, column), last, f"{folder / column}.npy")
    _check_below(corpus.ids, manifest["vocabulary"], f"{folder / 'ids'}.npy")
    _check_below(corpus.groups, len(corpus.group_names), f"{folder / 'groups'}.npy")


def _check_ends(ends: NDArray[Any], last: int, label: str) -> None:
    before = 0
    for part in _parts(ends):
        if part[0] <= before or (np.diff(part) <= 0).any():
            raise InputError(f"{label}: the places in it do not ascend; {_CURE}")
        before = int(part[-1])
    if before != last:
        raise InputError(f"{label}: ends with {before}, and {last} would be the end of the corpus; {_CURE}")


def _check_below(values: NDArray[Any], count: int, label: str) -> None:
    largest = max(int(part.max()) for part in _parts(values))
    if largest >= count:
        raise InputError(f"{label}: has the number {largest}, and there are only {count}; {_CURE}")


def _parts(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The values of a file a part at a time, read beside the mapping, whose pages would stay in memory."""
    assert isinstance(values, np.memmap)
    assert values.filename is not None
    size, count = values.dtype.itemsize, _CHECKED_TOGETHER
    for begin in range(0, len(values), count):
        offset = values.offset + begin * size
        yield np.fromfile(values.filename, values.dtype, min(count, len(values) - begin), offset=offset)


def _told(documents: Iterable[Document | str], progress: Progress | None) -> Iterator[Document]:
    for each in documents:
        document = Document.of(each) if isinstance(each, str) else each
        if progress is not None:
            progress(sum(len(part.text.encode()) for part in document.parts))
        yield document
