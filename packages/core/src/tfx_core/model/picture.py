"""A pattern of attention as a picture: which keys each query sees."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.model.attentions import AttentionChoice, called
from tfx_core.model.measured import Hashed, measurable
from tfx_core.nn import Mask, Patterned, RealTokens, Scores, sdpa

_CELL = 8
"""Width of a pair in pixels."""

_LONGEST = 512
"""Tokens of which pairs can be told apart in a picture."""

_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{pixels}" height="{pixels}" viewBox="0 0 {length} {length}" role="img">
<title>{title}</title>
<defs>{seen}{unseen}</defs>
<path fill="url(#unseen)" d="M0 0h{length}v{length}h-{length}z"/>
<path fill="url(#seen)" d="{path}"/>
</svg>
"""
_PAIR = '<pattern id="{}" width="1" height="1" patternUnits="userSpaceOnUse"><path fill="{}" d="M0 0h.85v.85h-.85z"/>'


def mask_picture(pattern: AttentionChoice | Mask, length: int = 32, *, row: int = 0) -> str:
    """Draw a pattern as SVG: a line for each of ``length`` queries, in it a dark square for each key that it sees.

    Patterns are as in ``load_model(…, attention=…)``, or any mask, of which ``row`` is drawn. Raises `InputError` for a
    pattern that there is not, a kernel that has no mask, and a length that nobody could see.
    """
    if not 1 <= length <= _LONGEST:
        raise InputError(f"length={length}: must be from 1 to {_LONGEST}, for a picture has a square for each pair")
    path = "".join(
        f"M{column} {line}h{width}v{height}h-{width}z"
        for line, column, width, height in _rectangles(_seen(pattern, length, row))
    )
    seen, unseen = (f"{_PAIR.format(*each)}</pattern>" for each in (("seen", "#2563a8"), ("unseen", "#8883")))
    title = f"{escape(called(pattern))}: which of {length} tokens, from left to right, each sees, from top to bottom"
    return _SVG.format(pixels=length * _CELL, length=length, title=title, seen=seen, unseen=unseen, path=path)


def _seen(pattern: AttentionChoice | Mask, length: int, row: int) -> Tensor:
    """Boolean ``(T, T)``."""
    kernel = None if isinstance(pattern, Mask) else measurable(pattern)
    if kernel is sdpa:
        return torch.ones(length, length, dtype=torch.bool)
    mask: object = pattern
    if isinstance(kernel, Patterned):
        mask = kernel.among(RealTokens(1, length, torch.device("cpu")), length)
    elif isinstance(kernel, Hashed):
        mask = kernel.among(length)
    if not isinstance(mask, Mask):
        raise InputError(f"{called(pattern)}: a kernel that bounds nothing by a mask, so there is nothing to draw")
    allowed = mask.allowed(Scores(length, length, torch.float32, torch.device("cpu")))
    rows = len(allowed)
    if rows > 1 and not 0 <= row < rows:
        raise InputError(f"row={row}: must be from 0 to {rows - 1}, for this mask has {rows} rows")
    return allowed[row if rows > 1 else 0, 0].expand(length, length)


def _rectangles(seen: Tensor) -> Iterator[tuple[int, int, int, int]]:
    """Line, column, width and height of the fewest that cover what is seen: runs, over all lines that have them."""
    begun: dict[tuple[int, int], int] = {}
    for line, runs in enumerate([*map(_runs, seen.tolist()), set()]):
        for column, width in begun.keys() - runs:
            yield begun[column, width], column, width, line - begun[column, width]
        begun = {run: begun.get(run, line) for run in runs}


def _runs(seen: list[bool]) -> set[tuple[int, int]]:
    """Column and width of what is seen without a gap."""
    runs, begin = set(), None
    for column, each in enumerate([*seen, False]):
        if each and begin is None:
            begin = column
        elif not each and begin is not None:
            runs.add((begin, column - begin))
            begin = None
    return runs
