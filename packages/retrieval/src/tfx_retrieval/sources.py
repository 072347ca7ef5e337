"""Passages from a user's files and folders, and from the language reference that comes with Python.

``.txt`` and ``.md`` are text; ``.jsonl`` is one JSON object a line with ``text`` and, if there is one, ``topic`` (or
``title``) and ``id``. Everything is UTF-8. What is read, and in which order, depends on the files alone.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tfx_core.embedding import Passage
from tfx_core.errors import InputError
from tfx_retrieval.digest import PassageDigest
from tfx_retrieval.manifest import MANIFEST
from tfx_retrieval.markdown import markdown_sections
from tfx_retrieval.splitting import split_passages

DEFAULT_WORDS = 120
PYTHON_REFERENCE = "pydoc:topics"
"""The source that is the Python language reference of the running interpreter, one document for each topic."""

SUFFIXES = (".jsonl", ".md", ".txt")
LARGEST = 100_000_000
"""Bytes of a text in a folder that is read, for it is read as a whole; JSON Lines come one by one."""

_BEGINNING = 8192
_TOPIC_KEYS = ("topic", "title")


@dataclass(frozen=True)
class Document:
    """A named text in sections of one topic each, before it is cut into passages."""

    id: str
    sections: tuple[tuple[str, str], ...]
    """(topic, text) in order."""


@dataclass(frozen=True)
class SourceFile:
    """A file to read, and the name that its passages are known by."""

    path: Path
    name: str
    found: bool = False
    """In a folder; nobody named it."""


@dataclass(frozen=True)
class Survey:
    """What a collection holds: enough to know whether an index of it is still current."""

    count: int
    digest: str
    """SHA-256 over every passage, in order."""


class Collection:
    """The passages of some sources, read afresh at every iteration.

    A source is a file, a folder that is searched through, or `PYTHON_REFERENCE`. Hidden files, other kinds of files
    (in `skipped`) and folders that are passage indexes themselves are passed over; a file named twice is read once.
    In folders, so is what one of the patterns in ``exclude`` fits: a name, a path within the source, or a folder above.
    A document is named by its path within its source, and where several would have one name, by as many folders above
    it as tell them apart.

    What cannot be read is an `InputError`. Unless the collection is ``strict``, what a folder holds is passed over
    instead, with the reason in `unread`: once it was looked through, at the first iteration.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        *,
        words: int = DEFAULT_WORDS,
        exclude: Sequence[str] = (),
        strict: bool = True,
    ) -> None:
        if words < 0:
            raise InputError(f"passage words: {words} is negative; give a number, or 0 to leave every text whole")
        if not sources:
            raise InputError(f"no source: name a file ({', '.join(SUFFIXES)}), a folder or {PYTHON_REFERENCE}")
        self.words = words
        self.skipped: list[Path] = []
        self.unread: dict[Path, str] = {}
        """What was found in folders and cannot be read, and why."""
        self._exclude = exclude
        self._strict = strict
        self._looked_through: set[Path] = set()
        self._parts: list[SourceFile | str] = []
        seen: set[Path] = set()
        for source in sources:
            if str(source) == PYTHON_REFERENCE:
                self._parts.append(PYTHON_REFERENCE)
                continue
            for file in self._find(Path(source)):
                if (real := file.path.resolve()) not in seen:
                    seen.add(real)
                    self._parts.append(file)
        self._parts = _told_apart(self._parts)
        if not self._parts:
            left = " that no pattern excludes" if exclude else ""
            raise InputError(f"{', '.join(map(str, sources))}: no {', '.join(SUFFIXES)} file in it{left}")

    def __iter__(self) -> Iterator[Passage]:
        for document in self.documents():
            pieces = [(topic, piece) for topic, text in document.sections for piece in split_passages(text, self.words)]
            for number, (topic, piece) in enumerate(pieces, start=1):
                name = document.id if len(pieces) == 1 else f"{document.id}#{number}"
                yield Passage(piece, topic, name)

    def documents(self) -> Iterator[Document]:
        """Read the sources one document at a time."""
        for part in self._parts:
            if isinstance(part, str):
                yield from _read_python_reference()
            elif self._is_readable(part):
                yield from _read(part)

    def _is_readable(self, file: SourceFile) -> bool:
        """Look a file through that a folder holds, if this was not done before: all of its passages count, or none."""
        if self._strict or not file.found or file.path in self._looked_through:
            return file.path not in self.unread
        self._looked_through.add(file.path)
        try:
            _check_kind(file.path)
            for _ in _read(file):
                pass
        except InputError as error:
            self.unread[file.path] = str(error).removeprefix(str(file.path)).lstrip(":, ")
            return False
        return True

    def _find(self, source: Path) -> Iterator[SourceFile]:
        if source.is_file():
            if source.suffix.lower() not in SUFFIXES:
                raise InputError(f"{source}: not one of the files that are read, {', '.join(SUFFIXES)}")
            yield SourceFile(source, _readable(source.name))
        elif source.is_dir():
            yield from self._search(source)
        elif source.exists():
            raise InputError(f"{source}: neither a file nor a folder")
        else:
            raise InputError(f"{source}: no such file or folder")

    def _search(self, folder: Path) -> Iterator[SourceFile]:
        def fail(error: OSError) -> None:
            if self._strict or Path(error.filename) == folder:
                raise InputError(f"{error.filename}: cannot be searched: {error.strerror}") from error
            self.unread[Path(error.filename)] = f"cannot be searched: {error.strerror}"

        found: list[Path] = []
        for place, folders, names in os.walk(folder, onerror=fail):
            if MANIFEST in names:  # a passage index, whose own files must not become passages
                folders.clear()
                continue
            folders[:] = [name for name in folders if self._takes(folder, Path(place, name))]
            found.extend(path for name in names if self._takes(folder, path := Path(place, name)))
        for path in sorted(found, key=lambda path: path.relative_to(folder).as_posix()):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                yield SourceFile(path, _readable(path.relative_to(folder).as_posix()), found=True)
            else:
                self.skipped.append(path)

    def _takes(self, folder: Path, path: Path) -> bool:
        """Whether what a search finds is neither hidden nor excluded."""
        inner = path.relative_to(folder).as_posix()
        fits = any(fnmatchcase(name, glob.rstrip("/")) for glob in self._exclude for name in (path.name, inner))
        return not fits and not path.name.startswith(".")


def _told_apart(parts: Sequence[SourceFile | str]) -> list[SourceFile | str]:
    """Files of one name, from several sources, named by as many of the folders above them as tell them apart."""
    names = Counter(part.name for part in parts if isinstance(part, SourceFile))
    while any(number > 1 for number in names.values()):
        longer = [_longer(part) if not isinstance(part, str) and names[part.name] > 1 else part for part in parts]
        if longer == parts:
            break
        parts = longer
        names = Counter(part.name for part in parts if isinstance(part, SourceFile))
    return list(parts)


def _longer(file: SourceFile) -> SourceFile:
    """The file with the next folder before its name, if there is one."""
    above = Path(os.path.abspath(file.path)).parts[: -1 - file.name.count("/")]
    return replace(file, name=f"{_readable(above[-1])}/{file.name}") if len(above) > 1 else file


def survey(passages: Iterable[Passage]) -> Survey:
    """Count and digest passages without keeping them."""
    count, digest = 0, PassageDigest()
    for passage in passages:
        digest.add(passage)
        count += 1
    return Survey(count, digest.value())


def _read_python_reference() -> Iterator[Document]:
    try:
        from pydoc_data.topics import topics  # a module of the standard library that holds one dict of strings
    except ImportError as error:
        raise InputError(f"{PYTHON_REFERENCE}: this Python came without its language reference ({error})") from error
    for topic in sorted(topics):
        yield Document(topic, ((topic, topics[topic]),))


def _check_kind(path: Path) -> None:
    """Raise `InputError` for what bears the name of a text and is none that a user meant to be read."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            binary = b"\0" in stream.read(_BEGINNING)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if binary:
        raise InputError(f"{path}: binary, not text")
    if size > LARGEST and path.suffix.lower() != ".jsonl":
        raise InputError(
            f"{path}: too large ({size / 1e6:.0f} MB, at most {LARGEST / 1e6:.0f}); name it to have it read"
        )


def _read(file: SourceFile) -> Iterator[Document]:
    try:
        if file.path.suffix.lower() == ".jsonl":
            yield from _read_json_lines(file)
            return
        text = _decoded(file.path.read_bytes(), str(file.path)).replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise InputError(f"{file.path}: cannot be read: {error.strerror or error}") from error
    own_topic = os.path.splitext(file.name)[0]
    if file.path.suffix.lower() == ".md":
        sections = tuple((" > ".join(path) or own_topic, part) for path, part in markdown_sections(text))
    else:
        sections = ((own_topic, text),)
    yield Document(file.name, sections)


def _read_json_lines(file: SourceFile) -> Iterator[Document]:
    with file.path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{file.path}, line {number}"
            if not line.strip():
                continue
            try:
                record = json.loads(_decoded(line, where))
            except (ValueError, RecursionError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{where}: not JSON: {error}") from error
            yield _document_of(record, where, own_id=f"{file.name}:{number}", own_topic=os.path.splitext(file.name)[0])


def _document_of(record: object, where: str, *, own_id: str, own_topic: str) -> Document:
    if not isinstance(record, dict):
        raise InputError(f'{where}: a {type(record).__name__}, not an object such as {{"text": …, "topic": …}}')
    text = record.get("text")
    if not isinstance(text, str):
        raise InputError(f"{where}: 'text' is {_shown(text)}; every line needs a string there")
    topic = next((record[key] for key in _TOPIC_KEYS if record.get(key) is not None), own_topic)
    if not isinstance(topic, str):
        raise InputError(f"{where}: the topic is {_shown(topic)}; give a string as {' or '.join(_TOPIC_KEYS)}, or none")
    name = record.get("id")
    if name is None:
        name = own_id
    elif isinstance(name, bool) or not isinstance(name, str | int):
        raise InputError(f"{where}: 'id' is {_shown(name)}; give a string or an integer, or none")
    for key, value in (("text", text), ("topic", topic), ("id", str(name))):
        if not _is_unicode(value):
            raise InputError(f"{where}: {key!r} holds half of a surrogate pair, which is no character")
    return Document(str(name), ((topic, text),))


def _readable(name: str) -> str:
    """Give the name of a file with each byte that is not UTF-8 as an escape, so that no two become one."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        place = where if len(data.splitlines()) <= 1 else f"{where}, line {line}"
        raise InputError(
            f"{place}: not UTF-8 (byte 0x{data[error.start]:02x} at position {error.start}); convert the file, "
            "for example with iconv -f latin1 -t utf-8"
        ) from error


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    shown = "missing" if value is None else repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
