"""From fused layers to those that the reference has, under its names."""

import re

import torch
from torch import nn

from tfx_core.checkpoint import WeightTable
from tfx_core.nn import split_linear

_NAMED = re.compile(r"\.layers\.\d+\.|\.pooler\.")
"""Those of stacks and poolers; others are tied, or read by more than a call."""


def split_layers(model: nn.Module, table: WeightTable, head: str) -> None:
    """Put a `tfx_core.nn.SplitLinear` in the place of each linear layer of a stack or pooler whose parts have names."""
    for path, layer in list(model.named_modules()):
        parts = _parts(layer, table, head, path) if type(layer) is nn.Linear and _NAMED.search(path) else {}
        if parts:
            owner, _, name = path.rpartition(".")
            setattr(model.get_submodule(owner), name, split_linear(layer, parts))


def _parts(layer: nn.Linear, table: WeightTable, head: str, path: str) -> dict[str, int]:
    """Name -> how many of the outputs, of the layers that a checkpoint has for this one; none where it has no layer."""
    place = table.find(head, f"{path}.weight")
    if place is None or not all(name.endswith(".weight") for name in place[2]):
        return {}
    _, rule, theirs = place
    views = rule.views(torch.empty_like(layer.weight, device="meta"))
    rows = [layer.out_features] if len(views) == 1 else [len(view) for view in views]
    return dict(zip((name.split(".")[-2] for name in theirs), rows, strict=True))
