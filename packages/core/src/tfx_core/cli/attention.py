"""``tfx-core attention-cost`` and ``attention-picture``: what a pattern of attention costs, and what it looks like."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tfx_core.cli.group import Command
from tfx_core.cli.output import OutputPath, print_json, print_table
from tfx_core.cli.progress import ProgressBar
from tfx_core.errors import TfxError

if TYPE_CHECKING:
    from tfx_core.model import AttentionCost

_HEADER = ("PATTERN", "LENGTH", "TIME", "MEMORY", "MULTIPLICATIONS", "TIMES FULL")
_SIZES = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


_SIZE = click.IntRange(min=1)


def _sizes(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    return tuple(_SIZE(part, param, ctx) for part in value.split(","))


def _patterns(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns, checked here: their arguments have names that options have, too, and are named as they are."""
    from tfx_core.model.measured import measurable

    for each in value:
        try:
            measurable(each)
        except TfxError as error:
            raise click.BadParameter(str(error), ctx, param) from error
    return value


@click.command(cls=Command)
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...", callback=_patterns)
@click.option("--length", "-n", "lengths", metavar="N,N,…", default="1024,4096", show_default=True, callback=_sizes,
              help="Tokens.")  # fmt: skip
@click.option("--heads", type=_SIZE, default=12, show_default=True, help="Heads of attention.")
@click.option("--width", type=_SIZE, default=64, show_default=True, help="Numbers of a head.")
@click.option("--batch", type=_SIZE, default=1, show_default=True, help="Texts at once.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16", "float64"]), default="float32",
              show_default=True, help="Type of the numbers.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Where to compute.")
@click.option("--backward", is_flag=True, help="With the gradients, as in training.")
@click.option("--rounds", type=_SIZE, default=5, show_default=True, help="Times that each is measured, in turns.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, one for each measurement.")
def attention_cost(
    patterns: tuple[str, ...], lengths: tuple[int, ...], dtype: str, as_json: bool, **setting: Any
) -> None:
    """Measure what patterns of attention cost, by length.

    A PATTERN is what --attention takes: full, "window(256)", "global(256, first=1)", "chunks(64)", …, or "lsh(64)".
    Beside full, the last column says how many times as long each takes. What is more than the free memory is not tried.
    """
    import torch

    from tfx_core.model import attention_cost as measured

    costs = measured(patterns, lengths, dtype=getattr(torch, dtype), **setting)
    total = len(patterns) * len(lengths)
    if as_json:
        for each in _shown(costs, total):
            print_json(asdict(each))
        return
    rows: list[tuple[str, ...]] = []
    try:
        for each in _shown(costs, total):
            rows.append(_row(each))  # noqa: PERF401  # one by one, for somebody may stop it
    finally:
        if rows:
            print_table(_HEADER, rows)


@click.command(cls=Command)
@click.argument("pattern")
@click.option("--length", "-n", type=_SIZE, default=32, show_default=True, help="Tokens.")
@click.option("--output", "-o", type=OutputPath(beside=True, dir_okay=False, writable=True),
              help="File to draw into. [default: standard output]")  # fmt: skip
def attention_picture(pattern: str, length: int, output: str | None) -> None:
    """Draw a pattern of attention as SVG: which tokens each sees.

    PATTERN is as in attention-cost; a line of the picture is a token that looks, a column one that is seen.
    """
    from tfx_core.model import mask_picture

    picture = mask_picture(pattern, length)
    with click.open_file(output or "-", "w", encoding="utf-8", atomic=output is not None) as stream:
        stream.write(picture)


def _shown(costs: "Iterable[AttentionCost]", total: int) -> "Iterable[AttentionCost]":
    """The same, with progress on stderr."""
    with ProgressBar("Measuring", total) as bar:
        for each in costs:
            bar.advance()
            if sys.stdout.isatty():
                bar.hide()
            yield each


def _row(cost: "AttentionCost") -> tuple[str, ...]:
    memory = _sized(cost.peak, "B")
    if cost.seconds is None or cost.multiplications is None:
        return cost.pattern, str(cost.length), "-", f"{memory}: too much", "-", "-"
    ratio = "-" if cost.times_full is None else f"{cost.times_full:.2f}"
    time = f"{cost.seconds * 1000:.1f} ms"
    return cost.pattern, str(cost.length), time, memory, _sized(cost.multiplications, ""), ratio


def _sized(number: int, unit: str) -> str:
    """Three digits and a prefix."""
    prefix, size = next((each for each in _SIZES if number >= each[1]), ("", 1.0))
    return f"{number / size:.3g} {prefix}{unit}".rstrip()
