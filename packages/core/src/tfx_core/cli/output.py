"""What commands write: the one place that knows what a terminal must not get, how wide it is and whether in colour."""

import io
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO

import click

from tfx_core.cli.columns import in_columns, wrapped
from tfx_core.errors import cleaned, in_one_line

_CELL, _LAST_CELL = 80, 2_000
"""Characters that a table shows of one cell; ``--json`` has them all."""

_LEAST_OF_THE_LAST = 28

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSEEN = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ESCAPED = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
_ESCAPES = {"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}
_HEADINGS: Mapping[str, Mapping[str, Any]] = {"Error": {"fg": "red", "bold": True}, "Warning": {"fg": "yellow"}}


def say(text: str, *, error: bool = False, heading: str = "") -> None:
    """Write a message: what is no content of the user's. ``heading`` is ``"Error"``, ``"Warning"`` or nothing."""
    stream = sys.stderr if error else sys.stdout
    begin = styled(f"{heading}:", stream, **_HEADINGS[heading]) + " " if heading else ""
    _put(f"{begin}{cleaned(text, 200_000)}", stream)


def coloured(stream: TextIO) -> bool:
    """Whether a stream takes colours: a terminal does, unless ``NO_COLOR`` or ``TERM=dumb`` says that it does not.

    ``FORCE_COLOR`` says that something else than a terminal does.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") not in (None, "", "0"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def styled(text: str, stream: TextIO | None = None, **style: Any) -> str:
    """The text as `click.style` has it, where the stream (stdout) takes colours."""
    return click.style(text, **style) if coloured(stream or sys.stdout) else text


def _put(text: str, stream: TextIO) -> None:
    # click takes colours out of what goes to no terminal, unless it is told that they are meant
    click.echo(text, err=stream is sys.stderr, color=coloured(stream) or None)


@contextmanager
def strangers_on_stderr() -> Iterator[None]:
    """What a plugin prints while it is asked goes to stderr, cleaned: stdout is for the answer.

    So does what goes past Python's stdout, from a library in C or a process, as it comes.
    """
    with redirect_stdout(_Cleaned()), _descriptor_on_stderr():
        yield


@contextmanager
def _descriptor_on_stderr() -> Iterator[None]:
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        yield
        return
    try:
        _flush()
        with suppress(OSError):
            os.dup2(2, 1)
        yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def _flush() -> None:
    """Write what Python's own stdout still holds to where it belongs."""
    with suppress(OSError, ValueError):  # it may be closed
        if sys.__stdout__ is not None:
            sys.__stdout__.flush()


class _Cleaned(io.TextIOBase):
    def write(self, text: str, /) -> int:
        click.echo(cleaned(text), err=True, nl=False)
        return len(text)


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    click.echo(json_text(value))


def json_text(value: object) -> str:
    """JSON on one line; what ends a line, drives a terminal or cannot be encoded is escaped as JSON has it."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def table_width() -> int | None:
    """Columns that a table on stdout may take: those of the terminal, or ``COLUMNS``; None where nothing says so."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return None


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header, within `table_width`; a last column without room stands in lines below its row."""
    table = [[*(in_one_line(cell, _CELL) for cell in row[:-1]), in_one_line(row[-1], _LAST_CELL)] for row in rows]
    width = table_width()
    lines_of = list(in_columns(header, table, width))
    if width is not None and lines_of[0][0].index(header[-1]) > width - _LEAST_OF_THE_LAST:
        below = [[f"    {line}" for line in wrapped(row[-1], width - 4) if line] for row in (header, *table)]
        others = in_columns(header[:-1], [row[:-1] for row in table], width)
        lines_of = [[*lines, *more] for lines, more in zip(others, below, strict=True)]
    for number, lines in enumerate(lines_of):
        for line in lines:
            _put(styled(line, bold=True) if number == 0 else line, sys.stdout)


def in_a_cell(text: str) -> str:
    """Content of the user's that keeps to its line and its column, and cannot drive a terminal."""
    return _CONTROL.sub(" ", text)


def in_a_field(text: str) -> str:
    r"""Content of the user's between tabs: a backslash, line ends, tabs and other controls as ``\\ \n \t \x1b``."""
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[0]) or f"\\x{ord(found[0]):02x}", text)


def as_it_comes(text: str) -> str:
    """Content of the user's with its line ends and tabs, and nothing else that would drive a terminal."""
    return _CONTROL_BUT_LAYOUT.sub("\N{REPLACEMENT CHARACTER}", text)


class _HelpFormatter(click.HelpFormatter):
    """Writes help, into which plugins put names and sentences."""

    def getvalue(self) -> str:
        return cleaned(super().getvalue(), 200_000)


class TerminalContext(click.Context):
    """The context of the core's own commands."""

    formatter_class = _HelpFormatter


class OutputPath(click.Path):
    """A file or folder to write, ``~`` being the home folder; with ``beside`` its own folder must be there already."""

    def __init__(self, *, beside: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._beside = beside

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As click has it."""
        if not value:
            self.fail("an empty name; say where it goes", param, ctx)
        path = os.path.expanduser(value)
        folder = os.path.dirname(path)
        if self._beside and folder and not os.path.isdir(folder):
            cure = f"make it first: mkdir -p {shlex.quote(folder)}"
            self.fail(f"the folder {folder!r} does not exist; {cure}", param, ctx)
        return super().convert(path, param, ctx)
