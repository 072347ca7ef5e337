"""A picture of a pattern shows the pairs that its mask allows, and no others."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.model import mask_picture
from tfx_core.nn import Allowed, Causal, Chunks, GlobalTokens, SameText, Scores, Window

TOKENS = torch.tensor([[False] * 4 + [True] + [False] * 5, [True] + [False] * 8 + [True]])


def drawn(picture: str) -> Tensor:
    """Read back which squares a picture covers, each at most once."""
    root = ET.fromstring(picture)
    size = int(root.attrib["viewBox"].split()[-1])
    covered = torch.zeros(size, size, dtype=torch.long)
    path = root.findall("{http://www.w3.org/2000/svg}path")[-1].attrib["d"]
    found = re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\3z", path)
    assert path == "".join("M{} {}h{}v{}h-{}z".format(*each, each[2]) for each in found)
    for column, line, width, height in (map(int, each) for each in found):
        covered[line : line + height, column : column + width] += 1
    assert covered.max() <= 1
    return covered.bool()


@pytest.mark.parametrize(
    "mask",
    [Window(2, 3), Window(2, 0, dilation=3), Causal(), Chunks(3, 1, 0), GlobalTokens(Window(1, 1), TOKENS[:1]),
     SameText(torch.tensor([[0] * 4 + [1] * 6])),
     Allowed(torch.randn(1, 1, 10, 10, generator=torch.Generator().manual_seed(0)) > 0)],
    ids=lambda mask: type(mask).__name__,
)  # fmt: skip
def test_a_mask_is_drawn_as_it_is(mask: Any) -> None:
    allowed = mask.allowed(Scores(10, 10, torch.float32, torch.device("cpu")))[0, 0]
    assert drawn(mask_picture(mask, 10)).equal(allowed.expand(10, 10))


def test_patterns_are_drawn_by_name() -> None:
    assert drawn(mask_picture("full", 5)).all()
    assert drawn(mask_picture("window(1, 0)", 6)).equal(torch.ones(6, 6).tril().triu(-1).bool())
    first = drawn(mask_picture("global(1, first=2)", 8))
    assert first[:2].all()
    assert first[:, :2].all()
    assert int(first.sum()) == 2 * 16 - 4 + 3 * 6 - 2


def test_of_several_rows_one_is_drawn() -> None:
    mask = GlobalTokens(Window(1, 1), TOKENS)
    assert not drawn(mask_picture(mask, 10))[2, 9]
    assert drawn(mask_picture(mask, 10, row=1))[2, 9]
    for row in (2, -1):
        with pytest.raises(InputError, match=f"row={row}: must be from 0 to 1, for this mask has 2 rows"):
            mask_picture(mask, 10, row=row)
    assert mask_picture(mask.window, 10, row=1) == mask_picture(mask.window, 10)


def test_a_picture_is_small_and_says_what_it_shows() -> None:
    picture = mask_picture("window(8, dilation=1)", 128)
    assert len(picture) < 4000
    assert "<title>window(8, dilation=1): which of 128 tokens" in picture


@pytest.mark.parametrize(("pattern", "length", "said"), [("eager", 8, "eager: a kernel"), ("full", 0, "length=0"),
                                                         ("full", 100_000, "from 1 to 512")])  # fmt: skip
def test_what_cannot_be_drawn_is_told(pattern: str, length: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        mask_picture(pattern, length)


def test_hashes_are_drawn_the_same_each_time() -> None:
    once = mask_picture("lsh(4, rounds=1)", 32)
    assert once == mask_picture("lsh(4, rounds=1)", 32)
    seen = drawn(once)
    assert seen.sum(1).eq(8).all()  # its own chunk, and the one before
    assert seen.diagonal().all()
    more = drawn(mask_picture("lsh(4, rounds=3)", 32))
    assert more.sum() > seen.sum()
