"""The Python on pages of Markdown."""

import re
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """What stands between two fences."""

    line: int
    """The number of the line of the first fence, from 1."""
    source: str


def python_blocks(page: Path) -> list[Block]:
    """The blocks of Python on a page, in their order."""
    text = page.read_text(encoding="utf-8")
    return [Block(text.count("\n", 0, found.start()) + 1, found[1]) for found in _BLOCK.finditer(text)]
