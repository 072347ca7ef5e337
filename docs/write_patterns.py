"""Draw the pictures of the page about patterns of attention: `python docs/write_patterns.py`."""

import re
from collections.abc import Iterator
from pathlib import Path

from tfx_core.model import mask_picture

PAGE = Path(__file__).parent / "attention-patterns.md"
LENGTH = 32
"""Tokens of each picture."""


def pictures() -> Iterator[tuple[Path, str]]:
    """File and content of every picture that the page shows: what stands for it in words is the pattern."""
    for pattern, file in re.findall(r"!\[(.+?)\]\((patterns/\w+\.svg)\)", PAGE.read_text(encoding="utf-8")):
        yield PAGE.parent / file, mask_picture(pattern, LENGTH)


if __name__ == "__main__":
    for file, picture in pictures():
        file.write_text(picture, encoding="utf-8")
