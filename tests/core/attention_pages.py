"""A page of attention as tests read it: its numbers, and what it would make a browser load."""

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import torch
from torch import Tensor

_ADDRESS = re.compile(r"(?:\w+:)?//[\w.\[]|url\(|@import|\bimport\s*\(|fetch\(|XMLHttpRequest|sendBeacon|WebSocket")
_LOADING = frozenset({"src", "href", "srcset", "action", "data", "poster", "xlink:href", "formaction", "xmlns"})


@dataclass(frozen=True)
class Shown:
    """The layers of one side, decoded."""

    name: str
    weights: list[Tensor]
    """``(H, T, S)`` each."""
    allowed: list[Tensor]
    rows: list[list[list[Any]]]
    """Of each layer, text and whether it is global."""
    columns: list[list[list[Any]]]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self.inside: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in _LOADING]
        self.inside = dict(attrs) if tag == "script" else None
        if self.inside is not None:
            self.scripts.append((self.inside, ""))

    def handle_data(self, data: str) -> None:
        if self.inside is not None:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data

    def handle_endtag(self, tag: str) -> None:
        self.inside = None


def parsed(page: str) -> _Page:
    found = _Page()
    found.feed(page)
    found.close()
    return found


def data_of(page: str) -> dict[str, Any]:
    """The numbers and labels in a page."""
    (found,) = (text for attributes, text in parsed(page).scripts if attributes.get("id") == "data")
    data: dict[str, Any] = json.loads(found)
    return data


def addresses(page: str) -> list[str]:
    """Whatever in a page stands for something outside of it, its data aside, which nothing runs."""
    found = parsed(page)
    rest = page.replace(next(text for attributes, text in found.scripts if attributes.get("id") == "data"), "")
    return [*(each for each in found.loaded if each != "data:,"), *_ADDRESS.findall(rest)]


def shown(page: str) -> list[Shown]:
    """What a page shows, side by side."""
    data = data_of(page)
    levels = {symbol: level / (len(data["symbols"]) - 1) for level, symbol in enumerate(data["symbols"])}
    sides = []
    for side in data["sides"]:
        layers = [_layer(data, layer, levels) for layer in side["layers"]]
        rows, columns = ([data["labels"][layer[axis]] for layer in side["layers"]] for axis in ("rows", "columns"))
        sides.append(Shown(side["name"], [each[0] for each in layers], [each[1] for each in layers], rows, columns))
    return sides


def _layer(data: dict[str, Any], layer: dict[str, Any], levels: dict[str, float]) -> tuple[Tensor, Tensor]:
    shape = len(data["labels"][layer["rows"]]), len(data["labels"][layer["columns"]])
    weights, allowed = torch.zeros(len(layer["heads"]), *shape), torch.ones(len(layer["heads"]), *shape).bool()
    for head, (symbols, mask) in enumerate(layer["heads"]):
        if mask is not None:
            digits = data["masks"][mask]
            bits = f"{int(digits, 16):0{4 * len(digits)}b}"[: shape[0] * shape[1]]
            allowed[head] = torch.tensor([bit == "1" for bit in bits]).view(shape)
        weights[head][allowed[head]] = torch.tensor([levels[each] ** 2 for each in symbols])
    return weights, allowed


def off_by_at_most_a_level(found: Tensor, expected: Tensor) -> bool:
    """Whether weights are what they were before they were kept as levels of their square root."""
    return bool(((found.sqrt() - expected.clamp(0, 1).sqrt()).abs() <= 0.5 / 89 + 1e-3).all())
