"""Documents of files, one at a time: texts, JSON lines, parallel texts, data sets; each may be compressed with gzip."""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, cast

from tfx_core.errors import InputError
from tfx_training.corpus.documents import Document, Part
from tfx_training.corpus.records import Reading, document_of
from tfx_training.corpus.sources import Source, find_sources

_BEGINNING = 8192


def read_documents(paths: Sequence[str | os.PathLike[str]], reading: Reading | None = None) -> Iterator[Document]:
    """The documents of files, folders and patterns (`find_sources`), in an order that depends on the names alone.

    Raises `InputError` for what does not exist, at once, and for what cannot be read, with file and line, when it comes
    to it.
    """
    reading = reading or Reading()
    return documents_of(find_sources(paths, reading), reading)


def documents_of(sources: Iterable[Source], reading: Reading) -> Iterator[Document]:
    """The documents of what was found."""
    for source in sources:
        match source.kind:
            case "topics":
                yield from _topics(reading)
            case "pair":
                yield from _pairs(source.files, reading)
            case "json":
                yield from _json_lines(source.files[0], reading)
            case "text":
                yield from _texts(source.files[0], reading)
            case _:
                from tfx_training.corpus.data_sets import rows_of

                for number, row in enumerate(rows_of(source, reading.split)):
                    yield document_of(_without_nulls(row), f"{source.name}, row {number}", reading)


def _topics(reading: Reading) -> Iterator[Document]:
    try:
        from pydoc_data.topics import topics  # of the standard library: one dict of texts
    except ImportError as error:
        raise InputError(f"pydoc:topics: this Python came without its language reference ({error})") from error
    for topic in sorted(topics):
        yield Document((reading.part(topics[topic]),))


def _texts(path: Path, reading: Reading) -> Iterator[Document]:
    lines = (line for _, line in _lines(path))
    for text in _grouped(lines, reading.documents):
        if text.strip():
            yield Document((reading.part(text),))


def _grouped(lines: Iterator[str], documents: str) -> Iterator[str]:
    """The texts of a file's documents."""
    if documents == "lines":
        yield from lines
        return
    together: list[str] = []
    for line in lines:
        if line.strip() or documents == "files":
            together.append(line)
        elif together:
            yield "\n".join(together)
            together = []
    yield "\n".join(together)


def _json_lines(path: Path, reading: Reading) -> Iterator[Document]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: is no JSON: {error}; the file must have an object on each line") from error
        yield document_of(record, where, reading)


def _pairs(files: Sequence[Path], reading: Reading) -> Iterator[Document]:
    """The lines of two files beside each other; a pair of which a side is blank is left out."""
    for pair in zip_longest(*map(_lines, files)):
        if None in pair:
            short = files[pair.index(None)]
            number = next(each for each in pair if each is not None)[0]
            raise InputError(f"{short}: has no line {number}, and the other file has; both must have as many lines")
        texts = [line for _, line in pair]
        if all(map(str.strip, texts)):
            parts = (Part(text, (), group) for text, group in zip(texts, reading.languages, strict=True))
            yield Document(tuple(parts))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line, without its end."""
    return ((number, line.rstrip("\r\n")) for number, line in lines_of(path))


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line of a file, with its end; raises `InputError` for what is no text in UTF-8."""
    try:
        with _opened(path) as stream:
            _check_text(stream, path)
            for number, line in enumerate(stream, start=1):
                yield number, _decoded(line, f"{path}, line {number}", "utf-8-sig" if number == 1 else "utf-8")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: is no whole gzip file: {error}; fetch it again") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _check_text(stream: BinaryIO, path: Path) -> None:
    if b"\0" in stream.read(_BEGINNING):
        raise InputError(f"{path}: is binary or UTF-16, not a text in UTF-8; convert it: iconv -f utf-16 -t utf-8")
    stream.seek(0)


def _decoded(line: bytes, where: str, encoding: str) -> str:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: not UTF-8 (byte 0x{line[error.start]:02x} at place {error.start}); convert the file, for "
            "example with iconv -f latin1 -t utf-8"
        ) from error


def _without_nulls(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row without the columns that are null in it, as those are that only other rows have."""
    return {key: value for key, value in row.items() if value is not None}
