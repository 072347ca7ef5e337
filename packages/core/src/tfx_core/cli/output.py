"""What commands write: the one place that knows what a terminal must not get."""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout

import click

from tfx_core.errors import cleaned, in_one_line

_CELL, _LAST_CELL = 80, 2_000
"""Characters that a table shows of one cell; ``--json`` has them all."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_UNSEEN = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def say(text: str, *, error: bool = False) -> None:
    """Write a message: what is no content of the user's."""
    click.echo(cleaned(text, 200_000), err=error)


@contextmanager
def strangers_on_stderr() -> Iterator[None]:
    """What a plugin prints while it is asked goes to stderr, cleaned: stdout is for the answer."""
    with redirect_stdout(_Cleaned()):
        yield


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


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header; the last column is as long as it needs to be."""
    table = [[*(in_one_line(cell, _CELL) for cell in row[:-1]), in_one_line(row[-1], _LAST_CELL)] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *table, strict=True)][:-1]
    for row in (header, *table):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())


def in_a_cell(text: str) -> str:
    """Content of the user's that keeps to its line and its column, and cannot drive a terminal."""
    return _CONTROL.sub(" ", text)


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
