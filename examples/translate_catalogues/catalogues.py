"""Pairs of strings from gettext catalogues: `.mo` and `.po`, as GNU gettext's manual describes both.

https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html and …/PO-Files.html
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CONTEXT_END, PLURAL_END = "\x04", "\0"
_MAGIC = 0x950412DE


class CatalogueError(ValueError):
    """A file that is no catalogue, or a broken one; the message names the file and the place."""


def pairs(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """The distinct translated strings of files and folders (with all `.mo` and `.po` below), cleaned, in their order.

    Left out are untranslated, fuzzy and obsolete entries and those without a letter. Of plural forms the first counts.
    """
    found: dict[tuple[str, str], None] = {}
    for file in files(paths):
        for source, target in read(file):
            pair = cleaned(source, target)
            if all(pair) and any(map(str.isalpha, pair[0])):
                found[pair] = None
    return list(found)


def files(paths: Iterable[Path]) -> list[Path]:
    """The catalogues that the paths name, each once; raises `CatalogueError` for a path with none."""
    found: dict[Path, None] = {}
    for path in paths:
        below = sorted(each for each in path.rglob("*") if each.suffix in (".mo", ".po")) if path.is_dir() else [path]
        if not below:
            raise CatalogueError(f"{path}: neither this folder nor one below it has a .mo or .po file")
        found.update(dict.fromkeys(below))
    return list(found)


def read(file: Path) -> Iterator[tuple[str, str]]:
    """Source and target of every translated entry, as they are stored."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CatalogueError(f"{file}: {error.strerror}") from None
    if file.suffix == ".mo":
        return read_mo(content, str(file))
    if file.suffix == ".po":
        return read_po(content, str(file))
    raise CatalogueError(f"{file}: must be a .mo or .po file, or a folder that has some")


# -- .mo ---------------------------------------------------------------------------------------------------------------


def read_mo(content: bytes, label: str) -> Iterator[tuple[str, str]]:
    """The entries of a compiled catalogue of either byte order, without contexts; of plural forms the first."""
    order = next((each for each in "<>" if content[:4] == struct.pack(each + "I", _MAGIC)), None)
    if order is None:
        raise CatalogueError(f"{label}: begins with {content[:4].hex() or 'nothing'}, not as a .mo file does")

    def numbers(place: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{order}{count}I", content, place)

    def string(entry: int) -> bytes:
        length, place = numbers(entry, 2)
        if place + length > len(content):
            raise CatalogueError(f"{label}: a string ends at byte {place + length}, the file at {len(content)}")
        return content[place : place + length]

    try:
        revision, count, sources, targets = numbers(4, 4)
        if revision >> 16 > 1:
            raise CatalogueError(f"{label}: format {revision >> 16}.{revision & 0xFFFF}; 0 and 1 can be read")
        entries = [(string(sources + 8 * entry), string(targets + 8 * entry)) for entry in range(count)]
    except struct.error:
        raise CatalogueError(f"{label}: ends in the middle of its tables, at byte {len(content)}") from None
    charset = _charset(next((target for source, target in entries if not source), b""))
    for raw_source, raw_target in entries:
        source, target = (_decoded(each, charset, label) for each in (raw_source, raw_target))
        source = source.rpartition(CONTEXT_END)[2].partition(PLURAL_END)[0]
        target = target.partition(PLURAL_END)[0]
        if source and target:
            yield source, target


# -- .po ---------------------------------------------------------------------------------------------------------------

_KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d+)\])?)\s*(".*")$')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"$')
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass
class _Entry:
    """What one entry of a `.po` file says so far: keyword -> text."""

    fuzzy: bool = False
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def pair(self) -> tuple[str, str] | None:
        source, target = self.texts.get("msgid"), self.texts.get("msgstr", self.texts.get("msgstr[0]"))
        return None if self.fuzzy or not source or not target else (source, target)


def read_po(content: bytes, label: str) -> Iterator[tuple[str, str]]:
    """The entries of a catalogue's text but for fuzzy and obsolete ones; of plural forms the first."""
    header = re.search(rb'"Content-Type:[^"]*', content)
    text = _decoded(content, _charset(header.group() if header else b""), label).removeprefix("\ufeff")
    entry, last = _Entry(), ""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("#") or not line:
            if entry.texts:  # an entry ends where the next one's comments begin
                yield from filter(None, [entry.pair])
                entry, last = _Entry(), ""
            if line.startswith("#,") and "fuzzy" in line:
                entry.fuzzy = True
            continue
        keyword = _KEYWORD.match(line)
        if keyword:
            name = keyword.group(1)
            if name in entry.texts or (name in ("msgctxt", "msgid") and "msgid" in entry.texts):
                yield from filter(None, [entry.pair])
                entry = _Entry()
            last, line = name, keyword.group(3)
            entry.texts[last] = ""
        quoted = _QUOTED.match(line)
        if quoted is None or not last:
            raise CatalogueError(f"{label}:{number}: {line[:60]!r} is neither a keyword with a string nor a string")
        entry.texts[last] += _ESCAPE.sub(_unescaped, quoted.group(1))
    yield from filter(None, [entry.pair])


def _unescaped(match: re.Match[str]) -> str:
    hexadecimal, octal, other = match.groups()
    if hexadecimal or octal:
        return chr(int(hexadecimal, 16) if hexadecimal else int(octal, 8))
    return _ESCAPED.get(other, other)


def _charset(header: bytes) -> str:
    found = re.search(rb"charset=([\w.:-]+)", header)
    name = found.group(1).decode("ascii") if found else "utf-8"
    return "utf-8" if name == "CHARSET" else name  # what a template says before anyone filled it in


def _decoded(raw: bytes, charset: str, label: str) -> str:
    try:
        return raw.decode(charset)
    except LookupError:
        raise CatalogueError(f"{label}: its header names the character set {charset!r}, which is not known") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{label}: not {charset}, as its header says: {error.reason} at {error.start}") from None


# -- cleaning ----------------------------------------------------------------------------------------------------------

_IN_BRACKETS = re.compile(r"\s*\(([~_&])\w\)")  # how scripts without such letters show the key: 開く(_O)
_BEFORE_A_WORD = re.compile(r"(?<![\w~_&%$])[~_&](?=\w)(?!\w+;)")
_IN_A_WORD = re.compile(r"(?<=\w)[~_&](?=\w)(?!\w+;)")
_OF_A_NAME = re.compile(r"[%$<>@\\]|[A-Z]{2}[_&~][A-Z]{2}")
_WORD = re.compile(r"\S+")


def cleaned(source: str, target: str) -> tuple[str, str]:
    """Both without the marks of accelerator keys (``~``, ``_``, ``&``) and with single blanks; markup stays."""
    return _without_marks(source, target), _without_marks(target, source)


def _without_marks(text: str, other: str) -> str:
    text = _BEFORE_A_WORD.sub("", _IN_BRACKETS.sub("", text))
    if len(_IN_A_WORD.findall(text)) == 1:  # a string has one accelerator, and names can have such marks too
        names = set() if text == other else set(_WORD.findall(other))

        def unmarked(word: re.Match[str]) -> str:
            return word[0] if word[0] in names or _OF_A_NAME.search(word[0]) else _IN_A_WORD.sub("", word[0])

        text = _WORD.sub(unmarked, text)
    return " ".join(text.split())
