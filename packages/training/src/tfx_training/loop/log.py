"""The log of a training: numbers as lines of JSON, and a picture of them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfx_core.checkpoint import replacing

LOG, SPEED, CURVES = "log.jsonl", "speed.jsonl", "curves.png"


class Log:
    """``log.jsonl``, the same whenever a training is repeated, and ``speed.jsonl``, with what depends on the machine.

    Lines of updates after the step that was ``told`` last, and of evaluations after the one that was ``evaluated``,
    are of a training that was stopped and goes on from before them: they are removed.
    """

    def __init__(self, folder: Path, told: int, evaluated: int) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in (LOG, SPEED):
            lines = lines_of(folder / name)
            kept = [line for line in lines if line["step"] <= (evaluated if "evaluation" in line else told)]
            with replacing(folder / name) as new:
                new.write_text("".join(map(_line, kept)), encoding="utf-8")

    def add(self, values: Mapping[str, Any]) -> None:
        """Add a line of numbers that come out again alike."""
        self._add(LOG, values)

    def add_speed(self, values: Mapping[str, Any]) -> None:
        """Add a line of how fast it was."""
        self._add(SPEED, values)

    def _add(self, name: str, values: Mapping[str, Any]) -> None:
        with (self._folder / name).open("a", encoding="utf-8") as file:
            file.write(_line(values))


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values) + "\n"


def lines_of(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, up to one that was cut off."""
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            return
        if not isinstance(values, dict) or not isinstance(values.get("step"), int):
            return
        yield values


def draw(folder: Path) -> Path | None:
    """Draw the loss and each measure over the updates into ``curves.png``; None where there is no matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    curves = _curves(folder)
    figure = Figure(figsize=(7, 3 * max(1, len(curves))), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, series) in enumerate(curves.items()):
        axes = figure.add_subplot(len(curves), 1, place + 1)
        for label, points in series.items():
            axes.plot(*zip(*points, strict=True), label=label, marker="o" if len(points) < 20 else "")
        axes.set(xlabel="updates", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")  # the best place takes long to find
    with replacing(folder / CURVES) as new:
        figure.savefig(new, dpi=120)
    return folder / CURVES


def _curves(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Of each thing that was measured, while training and on what is held out, its values by update."""
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for line in lines_of(folder / LOG):
        evaluated = "evaluation" in line
        values = line["evaluation"] if evaluated else line["losses"]
        for name, value in values.items():
            series = curves.setdefault(name, {})
            series.setdefault("held out" if evaluated else "training", []).append((line["step"], value))
    return curves
