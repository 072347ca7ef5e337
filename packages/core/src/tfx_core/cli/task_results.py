"""How ``tfx-core run`` prints results: JSON Lines for programs, tables on a terminal, tabs in a pipe."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import numpy as np

from tfx_core.cli.output import in_a_cell, json_text
from tfx_core.tasks import Result


def json_line(result: Result) -> str:
    """A result on one line of JSON; a number that JSON does not have (nan, inf) is null."""
    return json_text(_plain(result))


def tabbed(result: Result, number: int) -> Iterator[str]:
    """The lines of a result for a pipe: the values of each dict, with tabs between.

    A task that gives one dict, text or vector for each input gives one line for each. Where it gives several, each line
    begins with the number of its input, counted from 1, and where lists are nested with the number of the inner one.
    """
    for place, row in _rows(result):
        prefix = [] if _single(result) else [str(number), *map(str, place[:-1])]
        yield "\t".join([*prefix, *(_cell(value, exact=True) for value in row.values())])


def table(heading: str, result: Result) -> Iterator[str]:
    """The lines of a result for people: the input, then the rows under their names."""
    yield click.style(in_a_cell(heading), bold=True)
    if isinstance(result, np.ndarray):
        yield from (f"  {line}" for line in np.array2string(result, precision=4, threshold=32).splitlines())
    groups: dict[tuple[int, ...], list[Mapping[str, Any]]] = {}
    for place, row in _rows(result) if not isinstance(result, np.ndarray) else ():
        groups.setdefault(place[:-1], []).append(row)
    if not groups and not isinstance(result, np.ndarray):
        yield click.style("  (nothing)", dim=True)
    for place, rows in groups.items():
        if place:
            yield click.style(f"  {'.'.join(map(str, place))}", dim=True)
        yield from _aligned(rows)
    yield ""


def _aligned(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Rows of the same keys in columns, numbers to the right, under the keys if there are any."""
    header = [in_a_cell(name) for name in rows[0]]
    cells = [[_cell(row.get(key, ""), exact=False) for key in rows[0]] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [isinstance(value, int | float) for value in rows[0].values()]
    for number, line in enumerate([header, *cells]):
        if not any(line):
            continue
        padded = (
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        )
        yield click.style(f"  {'  '.join(padded)}".rstrip(), dim=number == 0)


def _rows(result: Result, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Mapping[str, Any]]]:
    """The dicts in a result and where in nested lists each stands; what is no dict gets the name ''."""
    if isinstance(result, Mapping):
        yield place, result
    elif isinstance(result, np.ndarray) and result.ndim == 1:
        yield place, {str(number): value for number, value in enumerate(result.tolist())}
    elif isinstance(result, list | tuple | np.ndarray):
        for number, part in enumerate(result, 1):
            yield from _rows(part, (*place, number))
    else:
        yield place, {"": result}


def _single(result: Result) -> bool:
    return not isinstance(result, list | tuple) and not (isinstance(result, np.ndarray) and result.ndim > 1)


def _cell(value: object, *, exact: bool) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if exact else f"{value:.4f}"
    if isinstance(value, str):
        return in_a_cell(value)
    return in_a_cell(json.dumps(_plain(value), ensure_ascii=False))


def _plain(value: Any) -> Any:
    """What `json` can write."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
