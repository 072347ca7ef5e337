"""Where the inputs of ``tfx-core run`` come from: arguments, a file or a pipe, one per line or as JSON Lines."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import click

from tfx_core.errors import InputError

Form: TypeAlias = Literal["lines", "jsonl", "whole"]
"""A text on each line, a JSON value on each line, or one text."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class RunInputs:
    """The inputs of one run."""

    values: Iterator[object]
    total: int | None
    """How many there are; None where that is known only at the end."""
    place: Callable[[int], str]
    """What messages call the input of this number, counted from 0."""


def open_inputs(texts: Sequence[str], file: str | None, form: Form | None, stdin: BinaryIO) -> RunInputs:
    """The inputs that a command line names.

    A file is read through once before anything runs, so that a mistake on its last line shows at once. Raises
    `click.UsageError` when there is no input or more than one source, `InputError` that names line and byte for what is
    not UTF-8 or not JSON.
    """
    if file is None and list(texts) == ["-"]:
        texts, file = (), "-"
    if texts and file is not None:
        raise click.UsageError("give either TEXT or --file, not both")
    if texts:
        if form is not None:
            raise click.UsageError(f"--read-as {form} is for files and pipes; each TEXT is one text")
        return RunInputs(iter(texts), len(texts), lambda index: f"TEXT {index + 1}")
    if file is None and stdin.isatty():
        raise click.UsageError("nothing to read: give TEXT, --file or a pipe (or - to type it in)")
    if file is None or file == "-":
        return _from(lambda: _values(stdin, "standard input", form or "lines"), None, "standard input", form)
    path = Path(file)
    form = form or ("jsonl" if path.suffix in (".jsonl", ".ndjson") else "lines")

    def values() -> Iterator[object]:
        with path.open("rb") as stream:
            yield from _values(stream, file, form)

    # what can be read only once, such as a named pipe, is not read ahead
    total = sum(1 for _ in values()) if path.is_file() else None
    return _from(values, total, file, form)


def _from(values: Callable[[], Iterator[object]], total: int | None, label: str, form: Form | None) -> RunInputs:
    return RunInputs(values(), total, lambda index: label if form == "whole" else f"{label}, line {index + 1}")


def _values(stream: BinaryIO, label: str, form: Form) -> Iterator[object]:
    if form == "whole":
        yield _decoded(stream.read(), label, 0, 1)
        return
    offset = 0
    for number, line in enumerate(stream, 1):
        text = _decoded(line, label, offset, number).rstrip("\r\n")
        offset += len(line)
        yield _parsed(text, label, number) if form == "jsonl" else text


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
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{label}, line {line}, column {error.colno}: not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:  # nested too deep, or a number of thousands of digits
        raise InputError(f"{label}, line {line}: not usable JSON: {error}") from None
    return value
