"""A picture of races: how many times as fast as the fastest of the others each contestant is.

`python benchmarks/chart.py FILE`, with matplotlib, of a file that a script has written with `--json`. Bars are medians
of the ratios within a round, lines go from the least to the greatest.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from measure import Results
from race import OURS
from record import Record

COLOURS = {True: "tab:blue", False: "tab:grey"}
"""Whether it is ours."""


def main() -> None:
    """Draw the file beside it, or where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--to", type=Path, help="a name with .svg or .png; by default that of the file with .svg")
    arguments = parser.parse_args()
    target = arguments.to or arguments.file.with_suffix(".svg")
    drawn(Record.read(arguments.file)).savefig(target)


def drawn(record: Record) -> Figure:
    """All rates of all races, one below another."""
    works = [(race, rate) for race in record.races for rate in race.rates]
    heights = [len(race.results.rounds) + 3 for race, _ in works]
    figure = Figure(figsize=(9, 0.28 * sum(heights) + 0.6), layout="constrained")
    panels = figure.subplots(len(works), squeeze=False, height_ratios=heights)[:, 0]
    for panel, (race, rate) in zip(panels, works, strict=True):
        best = fastest(race.results, rate)
        names = list(race.results.rounds)
        ratios = [race.results.ratios(name, rate, best) for name in names]
        typical = [race.results.ratio(name, rate, best) for name in names]
        below = [middle - min(each) for middle, each in zip(typical, ratios, strict=True)]
        above = [max(each) - middle for middle, each in zip(typical, ratios, strict=True)]
        colours = [COLOURS[name.startswith(f"{OURS} ")] for name in names]
        bars = panel.barh(names, typical, xerr=(below, above), color=colours)
        panel.bar_label(bars, [f"{each:.2f}" for each in typical], padding=4)
        panel.axvline(1, color="black", linewidth=0.8)
        panel.margins(x=0.12)
        panel.invert_yaxis()
        panel.set_title(f"{race.title}\n{rate}; 1 is {best}", loc="left", fontsize="medium")
    machine = record.machine
    figure.suptitle(
        f"{machine.processor}, {record.threads} threads, load {record.load}; {', '.join(machine.flags)}; {record.date}",
        fontsize="small",
    )
    return figure


def fastest(results: Results, rate: str) -> str:
    """Of the others."""
    others = [name for name in results.rounds if not name.startswith(f"{OURS} ")]
    return max(others or results.rounds, key=lambda name: results.median(name, rate))


if __name__ == "__main__":
    main()
