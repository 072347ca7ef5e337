"""How ``tfx-core run`` prints results: JSON Lines for programs, tables on a terminal, tabs in a pipe."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfx_core.cli.columns import in_columns, shortened, wrapped
from tfx_core.cli.output import in_a_cell, in_a_field, json_text, styled, table_width
from tfx_core.cli.task_inputs import Unusable
from tfx_core.tasks import Result


class Lines:
    """How results become lines: ``"json"``, ``"table"`` or ``"tabs"``; ``raw`` leaves texts as they are."""

    def __init__(self, form: str, *, header: bool = False, raw: bool = False, single: bool = False) -> None:
        self._form = form
        self.raw = raw
        self._single = single
        self._waiting: list[str] | None = [] if header else None
        """Lines that a header goes before, which only a result tells."""

    def of(self, value: object, result: Any, number: int) -> Iterator[str]:
        """The lines of one input and its result."""
        if self._form == "json":
            yield json_line({"error": result.reason} if isinstance(result, Unusable) else result)
            return
        result = unfolded(result)
        if self._form == "table":
            heading = "(no input)" if isinstance(value, Unusable) else value
            yield from table(heading if isinstance(heading, str) else json_line(heading), result, table_width() or 100)
        else:
            verbatim = self.raw or (self._single and is_one_text(result))
            lines = [""] if isinstance(result, Unusable) else tabbed(result, number, verbatim=verbatim)
            yield from self._below_a_header(lines, result)

    def rest(self) -> Sequence[str]:
        """Lines that still wait for a header, when there are no more inputs."""
        return self._waiting or ()

    def _below_a_header(self, lines: Iterable[str], result: Any) -> Iterator[str]:
        header = None if self._waiting is None or isinstance(result, Unusable) else tab_header(result)
        if header is not None and self._waiting is not None:
            lines, self._waiting = [header, *self._waiting, *lines], None
        elif self._waiting is not None:
            self._waiting += lines
            return
        yield from lines


def unfolded(result: Result) -> Result:
    """A dict of several lists of one length as a dict for each place in them, for people to read in columns."""
    items = result.items() if isinstance(result, Mapping) else ()
    lists = {name: value for name, value in items if isinstance(value, list)}
    if len(lists) < 2 or len({len(each) for each in lists.values()}) > 1:
        return result
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def json_line(result: Result) -> str:
    """A result on one line of JSON; a number that JSON does not have (nan, inf) is null."""
    return json_text(_plain(result))


def tabbed(result: Result, number: int, *, verbatim: bool = False) -> Iterator[str]:
    r"""The lines of a result for a pipe: the values of each dict, with tabs between.

    A task that gives one dict, text or vector for each input gives one line for each. Where it gives several, each line
    begins with the number of its input, counted from 1, and where lists are nested with the number of the inner one.
    A line end, a tab and a backslash within a text are ``\n``, ``\t`` and ``\\``, unless it is to be ``verbatim``.
    """
    for place, row in _rows(result):
        prefix = [] if _single(result) else [str(number), *map(str, place[:-1])]
        yield "\t".join([*prefix, *(_field(value, verbatim=verbatim) for value in row.values())])


def is_one_text(result: Result) -> bool:
    """Whether a result is a text and nothing else, as that of a task which generates."""
    values = list(result.values()) if isinstance(result, Mapping) else [result]
    return len(values) == 1 and isinstance(values[0], str)


def tab_header(result: Result) -> str | None:
    """The names of what `tabbed` gives of a result; None where that is nothing."""
    for place, row in _rows(result):
        prefix = [] if _single(result) else ["input", *("part" for _ in place[:-1])]
        named = (name or ("text" if isinstance(value, str) else "value") for name, value in row.items())
        return "\t".join([*prefix, *map(in_a_field, named)])
    return None


def table(heading: str, result: Result, width: int) -> Iterator[str]:
    """The lines of a result for people: the input, then the rows under their names, within ``width`` columns."""
    yield styled(shortened(in_a_cell(heading), width), bold=True)
    if isinstance(result, Unusable):
        yield from (styled(f"  {line}", fg="red") for line in wrapped(in_a_cell(result.reason), width - 2))
        yield ""
        return
    if isinstance(result, np.ndarray):
        shown = np.array2string(result, precision=4, threshold=32, max_line_width=width - 2)
        yield from (f"  {line}" for line in shown.splitlines())
    groups: dict[tuple[int, ...], list[Mapping[str, Any]]] = {}
    for place, row in _rows(result) if not isinstance(result, np.ndarray) else ():
        groups.setdefault(place[:-1], []).append(row)
    if not groups and not isinstance(result, np.ndarray):
        yield styled("  (nothing)", dim=True)
    for place, rows in groups.items():
        if place:
            yield styled(f"  {'.'.join(map(str, place))}", dim=True)
        yield from _aligned(rows, width - 2)
    yield ""


def _aligned(rows: Sequence[Mapping[str, Any]], width: int) -> Iterator[str]:
    """Rows of the same keys in columns, numbers to the right, under the keys if there are any."""
    header = [in_a_cell(name) for name in rows[0]]
    cells = [[_cell(row.get(key, "")) for key in rows[0]] for row in rows]
    numbers = [isinstance(value, int | float) for value in rows[0].values()]
    for number, lines in enumerate(in_columns(header, cells, width, numbers)):
        shown = (f"  {line}" for line in lines if line)
        yield from (styled(line, dim=True) if number == 0 else line for line in shown)


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


def _field(value: object, *, verbatim: bool) -> str:
    """A value between tabs."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)
    return text if verbatim else in_a_field(text)


def _cell(value: object) -> str:
    """A value in a table."""
    if isinstance(value, float):
        return f"{value:.4f}"
    return in_a_cell(value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False))


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
