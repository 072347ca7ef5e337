"""What commands print: tables for people, JSON Lines for programs."""

import json
from collections.abc import Mapping, Sequence

import click


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(value, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header; the last column is as long as it needs to be."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)][:-1]
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]).rstrip())
