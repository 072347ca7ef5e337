"""A model's shape as a picture: boxes in boxes, as its modules are in each other, with the sizes of what holds numbers.

A box has a name, the attribute that holds the module, and its class. Modules that are alike and follow each other are
one box with their number. What computes nothing of its own (dropouts, identities) is left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from torch import nn

from tfx_core.model import Backbone
from tfx_core.model.heads import Head
from tfx_core.nn import ActivationFunction, Attention, Embeddings, FeedForward, GatedFeedForward, PreNorm, Stack

_CHARACTER, _LINE, _GAP = 7.3, 19, 7
"""Width of a character of the monospaced font, height of a line, and what is between boxes, in pixels."""
_WIDEST = 940
"""Where a row of boxes beside each other ends."""

_FILLS = {
    "plain": "#f4f4f5",
    "numbers": "#e3f1e3",
    "attention": "#dfeafa",
    "feed-forward": "#fdeedd",
    "head": "#efe6f7",
}

_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">
<title>{title}</title>
<style>text{{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#555}}.n{{fill:#111;font-weight:600}}\
rect{{stroke:#b5b5bb;stroke-width:.7;fill:#fff}}{fills}</style>
<rect width="{width:g}" height="{height:g}" stroke="none"/>
{boxes}
</svg>
"""


@dataclass(frozen=True)
class Box:
    """A module, or some that are alike."""

    name: str
    words: str
    """Its class, and the sizes of what it holds."""
    kind: str = "plain"
    inner: tuple["Box", ...] = ()
    beside: bool = False
    """Whether the inner boxes stand beside each other."""
    times: int = 1
    runs: str = ""
    """How often it runs, where that is not once."""

    @property
    def label(self) -> str:
        """What stands behind the name."""
        return self.words + (f"  × {self.times}" if self.times > 1 else "") + self.runs


def box_of(name: str, module: nn.Module) -> Box:
    """The box of a module, with those of the modules in it."""
    wrapped = module._modules.get("sublayer")
    words, inner = _words(module), _inner(module)
    if wrapped is not None:  # a residual around something: one box for both
        words, kind = f"{words} of {_words(wrapped)}", _kind(wrapped)
        lifted = box_of("sublayer", wrapped).inner
        own = [each for each in inner if each.name != "sublayer"]
        return Box(name, words, kind, tuple([*own, *lifted] if isinstance(module, PreNorm) else [*lifted, *own]))
    if len(inner) == 1 and _is_holder(module):
        (only,) = inner
        return replace(only, name=f"{name}.{only.name}".removeprefix("."))
    sides = sum(isinstance(each, Backbone) for each in module.children()) > 1
    runs = ""
    if isinstance(module, Stack) and len(module.order) > len(module.layers):
        runs = f", {len(module.order)} times through"
    return Box(name, words, _kind(module), inner, beside=sides, runs=runs)


def picture(title: str, boxes: Sequence[Box]) -> str:
    """An SVG of some boxes, one below the other."""
    outer = Box("", "", inner=tuple(boxes))
    width, height = _size(outer)
    drawn = "\n".join(_drawn(outer, 0, 0, width, height, outermost=True))
    used = "".join(f".{kind}{{fill:{fill}}}" for kind, fill in _FILLS.items() if f'class="{kind}"' in drawn)
    return _SVG.format(width=width, height=height, title=escape(title), fills=used, boxes=drawn)


def _inner(module: nn.Module) -> tuple[Box, ...]:
    if isinstance(module, nn.Sequential):
        return tuple(_repeated("", list(module)))
    if not list(module.children()):
        return ()  # its own words say what it holds
    parts = [Box(name, _shape(each.shape), "numbers") for name, each in module.named_parameters(recurse=False)]
    for name, child in module.named_children():
        if isinstance(child, nn.ModuleList):
            parts += _repeated(name, list(child))
        elif not _is_silent(child):
            parts.append(box_of(name, child))
    return tuple(parts)


def _repeated(name: str, modules: list[nn.Module]) -> list[Box]:
    """The boxes of a list: of its shortest period, where it has one, or of each run of equal ones."""
    boxes = [None if _is_silent(each) else box_of("", each) for each in modules]
    for period in range(1, len(boxes) // 2 + 1):
        if len(boxes) % period == 0 and boxes == boxes[:period] * (len(boxes) // period):
            times = len(boxes) // period
            turn = tuple(replace(each, name=str(number)) for number, each in enumerate(boxes[:period]) if each)
            return (
                [replace(turn[0], name=name, times=times)]
                if len(turn) == 1
                else [Box(name, "in turn", inner=turn, times=times)]
            )
    runs: list[Box] = []
    for number, box in enumerate(boxes):
        if box is None:
            continue
        if number and box == boxes[number - 1]:
            runs[-1] = replace(runs[-1], times=runs[-1].times + 1)
        else:
            runs.append(replace(box, name=f"{name}.{number}".removeprefix(".")))
    return runs


def _is_silent(module: nn.Module) -> bool:
    """Whether it is not worth a line: it passes on what it is given, at least outside of training."""
    none = isinstance(module, nn.Identity | nn.Dropout) or type(module).__name__.startswith("No")
    return none or (not list(module.parameters()) and list(module.children()) != [] and not _inner(module))


def _is_holder(module: nn.Module) -> bool:
    """Whether it does little but hold another one."""
    return not isinstance(module, Attention | Head | Backbone | Embeddings | Stack)


def _words(module: nn.Module) -> str:
    """Its class, and the sizes of a layer that has no others in it."""
    name = type(module).__name__
    if isinstance(module, Attention):
        return f"{name}, {module.heads} heads of {module.out.in_features // module.heads}"
    if isinstance(module, ActivationFunction):
        return module.name
    if isinstance(module, nn.Linear):
        return f"{name} {module.in_features} → {module.out_features}"
    if isinstance(module, nn.Embedding):
        return f"{name} {module.num_embeddings} × {module.embedding_dim}"
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        size = " × ".join(map(str, module.kernel_size))
        groups = f", {module.groups} groups" if module.groups > 1 else ""
        return f"{name} {module.in_channels} → {module.out_channels}, {size}{groups}"
    shapes = [_shape(each.shape) for each in module.parameters(recurse=False)] if not list(module.children()) else []
    return " ".join([name, ", ".join(dict.fromkeys(shapes))]).strip()


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "1"


def _kind(module: nn.Module) -> str:
    if isinstance(module, Embeddings | nn.Embedding):
        return "numbers"
    if isinstance(module, Attention) or "Attention" in type(module).__name__:
        return "attention"
    if isinstance(module, FeedForward | GatedFeedForward) or "FeedForward" in type(module).__name__:
        return "feed-forward"
    return "head" if isinstance(module, Head) else "plain"


def _rows(box: Box) -> list[list[Box]]:
    """The inner boxes in rows: the two sides in one; heads, and boxes of one list, as many as there is room for."""
    if box.beside:
        return [list(box.inner)]
    rows: list[list[Box]] = []
    for each in box.inner:
        if rows and _are_kin(rows[-1][-1], each) and sum(_size(one)[0] + _GAP for one in (*rows[-1], each)) < _WIDEST:
            rows[-1].append(each)
        else:
            rows.append([each])
    return rows


def _are_kin(one: Box, other: Box) -> bool:
    of_list = one.name.rpartition(".")[0] == other.name.rpartition(".")[0] != ""
    return one.kind == other.kind == "head" or bool(of_list and one.inner and other.inner)


def _text_width(box: Box) -> float:
    return len(f"{box.name} {box.label}") * _CHARACTER + 2 * _GAP if box.name else 0


def _size(box: Box) -> tuple[float, float]:
    """Width and height that it needs."""
    rows = [[_size(each) for each in row] for row in _rows(box)]
    width = max([sum(each[0] for each in row) + _GAP * (len(row) + 1) for row in rows], default=0)
    height = sum(max(each[1] for each in row) + _GAP for row in rows)
    return max(width, _text_width(box)), (_LINE if box.name else _GAP) + height


def _drawn(box: Box, x: float, y: float, width: float, height: float, *, outermost: bool = False) -> Iterator[str]:
    """The lines of SVG for a box at a place."""
    if not outermost:
        yield f'<rect class="{box.kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3"/>'
        label = f" {escape(box.label)}" if box.label else ""
        yield f'<text x="{x + _GAP:g}" y="{y + 13:g}"><tspan class="n">{escape(box.name)}</tspan>{label}</text>'
    top = y + (_GAP if outermost else _LINE)
    for row in _rows(box):
        sizes = [_size(each) for each in row]
        spare = (width - sum(size[0] for size in sizes) - _GAP * (len(row) + 1)) / len(row)
        tallest, left = max(size[1] for size in sizes), x + _GAP
        for each, size in zip(row, sizes, strict=True):
            yield from _drawn(each, round(left, 1), round(top, 1), round(size[0] + spare, 1), round(tallest, 1))
            left += size[0] + spare + _GAP
        top += tallest + _GAP
