"""The weights of a model's attention as one page of HTML, with its style, its script and all numbers in it."""

import json
import re
from collections.abc import Hashable
from html import escape
from importlib.resources import files
from typing import Any, Generic, TypeVar

from torch import Tensor

from tfx_core.attention.maps import AttentionMap, AttentionMaps
from tfx_core.errors import in_one_line

SYMBOLS = "".join(chr(code) for code in range(ord("#"), ord("~") + 1) if chr(code) not in "<\\")
"""What stands for the levels of a weight's square root, from 0 to 1: what neither JSON nor HTML has to escape."""

_TABLE = SYMBOLS.encode().ljust(256, b"?")
_MARK = re.compile(r"@(title|data)@")
_T = TypeVar("_T", bound=Hashable)


def attention_page(maps: AttentionMaps) -> str:
    """A page to look at: all heads as small pictures, the weights of some as lines between tokens or as a matrix.

    It loads nothing. A weight ``w`` is kept as one of 90 levels of its square root, so that it is ``√w / 89`` off at
    most: with one character for each pair that may attend, the page of 144 heads and 64 tokens has 600 kB.
    """
    # in a script element, "<" may begin what ends it
    data = json.dumps(_data(maps), separators=(",", ":")).replace("<", "\\u003c")
    said = {"title": escape(in_one_line(f"Attention of {maps.model}")), "data": data}
    template = files("tfx_core.attention").joinpath("page.html").read_text(encoding="utf-8")
    return _MARK.sub(lambda found: said[found[1]], template)


class _Numbered(Generic[_T]):
    """Values that occur often, each once; where they are used their number stands."""

    def __init__(self) -> None:
        self._numbers: dict[_T, int] = {}

    def number(self, value: _T) -> int:
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def values(self) -> list[_T]:
        return list(self._numbers)


def _data(maps: AttentionMaps) -> dict[str, Any]:
    labels, masks = _Numbered[Any](), _Numbered[str]()

    def layer(each: AttentionMap) -> dict[str, Any]:
        heads = zip(each.weights, each.allowed, strict=True)
        return {
            "rows": labels.number(each.rows),
            "columns": labels.number(each.columns),
            "heads": [
                [_levels(weights[allowed]), None if bool(allowed.all()) else masks.number(_bits(allowed))]
                for weights, allowed in heads
            ],
        }

    sides = [{"name": side.name, "layers": [layer(each) for each in side.layers]} for side in maps.sides]
    return {
        "model": maps.model,
        "attention": maps.attention,
        "written": maps.written,
        "symbols": SYMBOLS,
        "labels": labels.values,
        "masks": masks.values,
        "sides": sides,
    }


def _levels(weights: Tensor) -> str:
    """A symbol for each of the weights ``(n,)``."""
    levels = (weights.float().clamp(0, 1).sqrt() * (len(SYMBOLS) - 1)).round().byte()
    return levels.numpy().tobytes().translate(_TABLE).decode()


def _bits(allowed: Tensor) -> str:
    """Which pairs ``(T, S)`` are allowed, line by line, four to a hexadecimal digit."""
    bits = "".join("1" if each else "0" for each in allowed.flatten().tolist())
    digits = -(-len(bits) // 4)
    return f"{int(bits.ljust(4 * digits, '0'), 2):0{digits}x}"
