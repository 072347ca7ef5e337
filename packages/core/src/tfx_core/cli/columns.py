"""Text in columns that fit the width of a terminal; what is too wide goes on in the next line."""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest

_NARROWEST = 8
_GAP = "  "


def in_columns(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, numbers: Sequence[bool] = ()
) -> Iterator[list[str]]:
    """The lines of the header, then those of each row; columns of ``numbers`` stand to the right and are never cut.

    Where a ``width`` is too narrow for all, the widest columns of text are wrapped.
    """
    numbers = numbers or [False] * len(header)
    widths = [max(map(display_width, column)) for column in zip(header, *rows, strict=True)]
    if width is not None:
        least = [size if number else max(_NARROWEST, display_width(name)) for name, size, number in
                 zip(header, widths, numbers, strict=True)]  # fmt: skip
        _narrow(widths, least, width - len(_GAP) * (len(widths) - 1))
    for row in (header, *rows):
        cells = [wrapped(cell, size) for cell, size in zip(row, widths, strict=True)]
        yield [
            _GAP.join(padded(*cell) for cell in zip(line, widths, numbers, strict=True)).rstrip()
            for line in zip_longest(*cells, fillvalue="")
        ]


def _narrow(widths: list[int], least: Sequence[int], room: int) -> None:
    """Take from the widest columns until all have room, or none can be narrower."""
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda column: (widths[column] > least[column], widths[column]))
        if widths[widest] <= least[widest]:
            return
        widths[widest] -= 1


def padded(text: str, width: int, to_the_right: bool = False) -> str:
    """A text in a column."""
    blanks = " " * (width - display_width(text))
    return blanks + text if to_the_right else text + blanks


def display_width(text: str) -> int:
    """Count the columns that a text takes on a terminal: two for a wide sign, none for one that combines."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def wrapped(text: str, width: int, lines: int = 0) -> list[str]:
    """Break a text into lines of at most ``width`` columns, the last of ``lines`` (0: all) ending in … where it is cut.

    A line ends at a space where one is in reach, else between any two signs, as scripts without spaces do.
    """
    broken: list[str] = []
    start = 0
    while start < len(text):
        if len(broken) + 1 == lines and _fitting(text, start, width) < len(text):
            return [*broken, text[start : _line_end(text, start, width - 1)].rstrip() + "…"]
        end = max(_line_end(text, start, width), start + 1)
        broken.append(text[start:end].rstrip())
        start = end + (text[end : end + 1] == " ")
    return broken or [""]


def shortened(text: str, width: int) -> str:
    """A text of at most ``width`` columns, ending in … where it is cut."""
    if _fitting(text, 0, width) == len(text):
        return text
    return text[: _fitting(text, 0, width - 1)].rstrip(" …") + "…"


def _line_end(text: str, start: int, width: int) -> int:
    """Give the end of a line: where all of the rest fits, at the last space that is in reach, or at the width."""
    end = _fitting(text, start, width)
    space = text.rfind(" ", start, end + 1) if end < len(text) else -1
    return space if space > start else end


def _fitting(text: str, start: int, width: int) -> int:
    """Give the end of the longest slice from ``start`` that fits."""
    used = 0
    for at in range(start, len(text)):
        used += display_width(text[at])
        if used > width:
            return at
    return len(text)
