"""Where the inputs of ``tfx-core run`` come from: arguments, a file or a pipe, one per line or as JSON Lines."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import click

from tfx_core.errors import InputError

Form: TypeAlias = Literal["lines", "jsonl", "whole"]
"""A text on each line, a JSON value on each line, or one text."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Unusable:
    """A line of a file or a pipe that is no input, and why."""

    reason: str


@dataclass(frozen=True)
class RunInputs:
    """The inputs of one run."""

    values: Iterator[object]
    """What tasks take, and `Unusable` lines among them unless the run is ``strict``."""
    total: int | None
    """How many there are; None where that is known only at the end."""
    place: Callable[[int], str]
    """What messages call the input of this number, counted from 0."""
    strict: bool
    """Whether one that cannot be used ends the run; of lines all others are answered otherwise."""
    single: bool = False
    """Whether there is one by the way it was given."""
    texts: bool = False
    """Whether all are texts alone."""


def open_inputs(
    texts: Sequence[str], file: str | None, form: Form | None, stdin: BinaryIO, *, strict: bool = False
) -> RunInputs:
    """The inputs that a command line names.

    A file is read through once before anything runs: it is counted, and where the run is ``strict`` a mistake on its
    last line shows at once. Raises `click.UsageError` when there is no input or more than one source; for what is not
    UTF-8 or not JSON, which a strict run does not take, `InputError` that names line and byte.
    """
    if file is None and list(texts) == ["-"]:
        texts, file = (), "-"
    if texts and file is not None:
        raise click.UsageError("give either TEXT or --file, not both")
    if texts:
        if form is not None:
            raise click.UsageError(f"--read-as {form} is for files and pipes; each TEXT is one text")
        return RunInputs(iter(texts), len(texts), lambda index: f"TEXT {index + 1}", True, len(texts) == 1, True)
    if file is None and stdin.isatty():
        raise click.UsageError("nothing to read: give TEXT, --file or a pipe (or - to type it in)")
    if file is None or file == "-":
        lines: BinaryIO | Iterator[bytes] = stdin
        if form is None:
            first = stdin.readline()
            form, lines = "jsonl" if _is_object(first) else "lines", chain([first] if first else [], stdin)
        return _from(_values(lines, "standard input", form, strict), None, "standard input", form, strict)
    path = Path(file)
    form = form or ("jsonl" if path.suffix in (".jsonl", ".ndjson") else "lines")

    def values() -> Iterator[object]:
        with path.open("rb") as stream:
            yield from _values(stream, file, form, strict)

    # what can be read only once, such as a named pipe, is not read ahead
    total = sum(1 for _ in values()) if path.is_file() else None
    return _from(values(), total, file, form, strict)


def beside(inputs: RunInputs, keys: Collection[str], file: str | None) -> RunInputs:
    """The inputs of a file with the paths under these keys relative to it; of a pipe, to where the command runs."""
    if not keys or file in (None, "-"):
        return inputs
    folder = Path(str(file)).parent

    def placed(value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: str(folder / x) if key in keys and isinstance(x, str) else x for key, x in value.items()}

    return replace(inputs, values=map(placed, inputs.values))


def _from(values: Iterator[object], total: int | None, label: str, form: Form | None, strict: bool) -> RunInputs:
    if form == "whole":
        return RunInputs(values, total, lambda index: label, True, True, True)
    return RunInputs(values, total, lambda index: f"{label}, line {index + 1}", strict, texts=form == "lines")


def _is_object(line: bytes) -> bool:
    """Whether the first line of a pipe, which has no name that would say so, is an object of JSON."""
    try:
        return line.lstrip(_BYTE_ORDER_MARK).lstrip().startswith(b"{") and isinstance(json.loads(line), dict)
    except (RecursionError, ValueError):
        return False


def _values(stream: BinaryIO | Iterator[bytes], label: str, form: Form, strict: bool) -> Iterator[object]:
    if form == "whole":
        yield _decoded(b"".join(stream), label, 0, 1)
        return
    offset = 0
    for number, line in enumerate(stream, 1):
        try:
            text = _decoded(line, label, offset, number).rstrip("\r\n")
            value = _parsed(text, label, number) if form == "jsonl" else text
        except InputError as error:
            if strict:
                raise
            value = Unusable(str(error))
        offset += len(line)
        yield value


def _decoded(data: bytes, label: str, offset: int, line: int) -> str:
    """UTF-8 bytes that stand at ``offset`` of their file, without a byte order mark at its start."""
    marked = offset == 0 and data.startswith(_BYTE_ORDER_MARK)
    try:
        return data.decode("utf-8-sig" if marked else "utf-8")
    except UnicodeDecodeError as error:
        # utf-8-sig counts from behind the mark
        place = error.start + (len(_BYTE_ORDER_MARK) if marked and error.object is not data else 0)
        line += data.count(b"\n", 0, place)
        raise InputError(
            f"{label}, line {line}: byte {offset + place} (0x{data[place]:02x}) is not UTF-8; convert the file, for "
            "example with iconv -f LATIN1 -t UTF-8"
        ) from None


def _parsed(text: str, label: str, line: int) -> object:
    """The value of a line; an object with a text and nothing else is that text, for tasks of every kind."""
    if not text.strip():
        raise InputError(f'{label}, line {line}: an empty line; each holds one value of JSON, "" for an empty text')
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{label}, line {line}, column {error.colno}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
        raise InputError(f"{label}, line {line}: not usable JSON: {error}") from None
    if isinstance(value, dict) and value.keys() == {"text"} and isinstance(value["text"], str):
        return value["text"]
    return value
