"""Contestants measured in turns.

The machines are shared and noisy, and one time can be off by several times. So every contestant is a process of its own
in its own environment, all of them run once in every round, and what counts is the median over the rounds of the ratio
between two contestants of the same round.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in the unit of ru_maxrss


@dataclass(frozen=True)
class Contestant:
    """A command to measure.

    If its last line of output is a JSON object of numbers, these are figures beside those of the process as a whole:
    ``wall``, in seconds, and ``peak``, the most memory that it held, in MB.
    """

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """What each contestant reached, by round."""

    rounds: Mapping[str, Sequence[Mapping[str, float]]]

    def values(self, name: str, figure: str) -> list[float]:
        """One contestant's figure in every round."""
        return [figures[figure] for figures in self.rounds[name]]

    def median(self, name: str, figure: str) -> float:
        """One contestant's typical figure."""
        return median(self.values(name, figure))

    def ratio(self, name: str, figure: str, to: str) -> float:
        """How many times the other's figure it is, typically; both of a round are taken together."""
        return median(self.ratios(name, figure, to))

    def ratios(self, name: str, figure: str, to: str) -> list[float]:
        """How many times the other's figure it is, in every round."""
        return [ours / theirs for ours, theirs in self._paired(name, figure, to)]

    def above(self, name: str, figure: str, base: str) -> float:
        """By how much it is above the other's figure, typically."""
        return median(ours - theirs for ours, theirs in self._paired(name, figure, base))

    def _paired(self, name: str, figure: str, other: str) -> list[tuple[float, float]]:
        return list(zip(self.values(name, figure), self.values(other, figure), strict=True))


def measure(contestants: Iterable[Contestant], *, rounds: int, warm_up: bool = True) -> Results:
    """Run every contestant once in each round, in an order that turns from round to round.

    The warm-up is a round that is not counted: it fills the file cache. Raises `RuntimeError` with the output of a
    contestant that fails.
    """
    waiting = list(contestants)
    done: dict[str, list[Mapping[str, float]]] = {each.name: [] for each in waiting}
    for round_ in range(-1 if warm_up else 0, rounds):
        turn = round_ % len(waiting)
        for contestant in waiting[turn:] + waiting[:turn]:
            figures = run(contestant)
            if round_ >= 0:
                done[contestant.name].append(figures)
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return Results(done)


def run(contestant: Contestant) -> dict[str, float]:
    """Run one contestant once."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(contestant.command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait for it again
        output.seek(0)
        text = output.read().decode(errors="replace")
        if process.returncode != 0:
            errors.seek(0)
            report = text + errors.read().decode(errors="replace")
            raise RuntimeError(f"{contestant.name} ended with {process.returncode}: {contestant.command}\n{report}")
    return {"wall": wall, "peak": usage.ru_maxrss * PEAK_UNIT / 1e6, **_figures(text)}


def _figures(output: str) -> dict[str, float]:
    last = output.strip().rpartition("\n")[2]
    if not last.startswith("{"):
        return {}
    return {name: float(value) for name, value in json.loads(last).items()}


@dataclass(frozen=True)
class Column:
    """A figure as it is printed."""

    figure: str
    unit: Literal["ms", "s", "MB", "/s"]

    def text(self, value: float) -> str:
        """The value with its unit."""
        if self.unit == "ms":
            return f"{value * 1000:.0f} ms"
        if self.unit == "s":
            return f"{value:.2f} s"
        return f"{value:.1f} {self.unit}" if value < 100 else f"{value:.0f} {self.unit}"


def print_table(title: str, results: Results, columns: Sequence[Column], *, ours: str) -> None:
    """For each contestant its medians with the range over the rounds, and how many times its figure ours is."""
    print(f"\n{title}; ratio: {ours} to the row's\n")
    head = ["", *(each for column in columns for each in (column.figure, "from - to", "ratio"))]
    rows = [head]
    for name in results.rounds:
        row = [name]
        for column in columns:
            values = results.values(name, column.figure)
            row += [
                column.text(median(values)),
                f"{column.text(min(values))} - {column.text(max(values))}",
                "" if name == ours else f"{results.ratio(ours, column.figure, name):.2f}",
            ]
        rows.append(row)
    print_rows(rows)


def print_limit(what: str, value: float, limit: float, show: Callable[[float], str]) -> None:
    """A figure beside the limit that the project has set itself."""
    print(f"{what}: {show(value)}; limit {show(limit)}: {'kept' if value <= limit else 'NOT KEPT'}")


def print_rows(rows: Sequence[Sequence[str]]) -> None:
    """Rows in aligned columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *cells]).rstrip())
