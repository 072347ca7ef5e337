"""Which files a corpus is: of files, folders and patterns, those whose kind can be read, in an order of their own."""

import os
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from tfx_core.errors import InputError
from tfx_training.corpus.records import Reading
from tfx_training.corpus.store import MANIFEST

PYTHON_TOPICS = "pydoc:topics"
"""The language reference of the Python that runs, a document a topic."""

HUB = "hub:"
"""What stands before the name of a data set on a hub, and its configuration behind a further colon."""

TEXT_SUFFIXES = (".txt", ".text", ".md")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
DATASET_SUFFIXES = (".parquet", ".arrow")
SUFFIXES = (*TEXT_SUFFIXES, *JSON_SUFFIXES, *DATASET_SUFFIXES)

_SAVED_DATASET = ("dataset_info.json", "dataset_dict.json")


class Source(NamedTuple):
    """Something to read."""

    kind: str
    """``"text"``, ``"json"``, ``"pair"``, ``"data set"``, ``"saved data set"``, ``"hub"`` or ``"topics"``."""

    name: str
    files: tuple[Path, ...] = ()


def find_sources(paths: Sequence[str | os.PathLike[str]], reading: Reading) -> list[Source]:
    """What is to be read, each once.

    A path is a file, a folder that is searched, a pattern (``data/*.txt``), `PYTHON_TOPICS` or a name behind `HUB`.
    In folders, hidden files and those of other kinds are passed over. Raises `InputError` for what does not exist.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    found = [source for path in paths for source in _sources(os.fspath(path), reading)]
    if not found:
        raise InputError(f"no corpus: name a file ({', '.join(SUFFIXES)}, or one of these with .gz), or a folder")
    return list(dict.fromkeys(found))


def source_bytes(sources: Sequence[Source]) -> int | None:
    """The bytes of the texts that are to be read, about; None where only reading tells it."""
    if any(source.kind not in ("text", "json", "pair") or source.files[0].suffix == ".gz" for source in sources):
        return None
    return sum(path.stat().st_size for source in sources for path in source.files)


def _sources(path: str, reading: Reading) -> Iterator[Source]:
    if path == PYTHON_TOPICS:
        yield Source("topics", path)
    elif path.startswith(HUB):
        yield Source("hub", path.removeprefix(HUB))
    else:
        yield from _local(Path(os.path.expanduser(path)), reading)


def _local(path: Path, reading: Reading) -> Iterator[Source]:
    sides = _sides(path, reading)
    if sides:
        yield Source("pair", str(path), sides)
    elif path.is_dir():
        yield from _folder(path, reading)
    elif path.is_file():
        yield _file(path)
    elif has_magic(str(path)):
        matches = sorted(glob(str(path), recursive=True))
        if not matches:
            raise InputError(f"{path}: no file is of this pattern")
        for match in matches:
            yield from _local(Path(match), reading)
    else:
        behind = f", nor {path}.{' and .'.join(reading.languages)}" if reading.languages else ""
        raise InputError(f"{path}: no such file or folder{behind}")


def _sides(path: Path, reading: Reading) -> tuple[Path, ...]:
    """The two files ``path.en`` and ``path.fr``, where ``path`` names them together or one of them."""
    for end in ("", ".gz"):
        for language in ("", *reading.languages):
            common = str(path).removesuffix(f".{language}{end}") if language else str(path)
            files = tuple(Path(f"{common}.{each}{end}") for each in reading.languages)
            if files and (not language or common != str(path)) and all(map(Path.is_file, files)):
                return files
    return ()


def _folder(folder: Path, reading: Reading) -> Iterator[Source]:
    if any((folder / name).is_file() for name in _SAVED_DATASET):
        yield Source("saved data set", str(folder), tuple(sorted(each for each in folder.rglob("*") if each.is_file())))
        return
    found = sorted(_searched(folder), key=lambda path: path.relative_to(folder).as_posix())
    sources = [Source("pair", str(path), sides) for path in found if (sides := _sides(path, reading))]
    if not reading.languages:
        sources = [_file(path) for path in found if _suffix(path) in SUFFIXES]
    if not sources:
        wanted = (
            f"pair of files .{', .'.join(reading.languages)}" if reading.languages else f"{', '.join(SUFFIXES)} file"
        )
        raise InputError(f"{folder}: no {wanted} in it")
    first = {source.files: source for source in reversed(sources)}  # both sides of a pair were found
    yield from (source for source in sources if first[source.files] is source)


def _searched(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be searched: {error.strerror}") from error

    for place, folders, names in os.walk(folder, onerror=fail):
        if MANIFEST in names:  # a corpus that was made of texts must not become texts
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if not name.startswith("."))


def _file(path: Path) -> Source:
    suffix = _suffix(path)
    kind = "json" if suffix in JSON_SUFFIXES else "data set" if suffix in DATASET_SUFFIXES else "text"
    return Source(kind, str(path), (path,))


def _suffix(path: Path) -> str:
    """The end of a name that tells its kind, ``.gz`` left out."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
