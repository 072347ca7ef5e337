"""From the names of a module's tensors to those of a checkpoint and back, as views: nothing is copied."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from tfx_core.checkpoint.table import WeightTable
from tfx_core.checkpoint.weight_file import TensorEntry
from tfx_core.errors import CheckpointError, in_one_line


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Every parameter and every buffer that is saved, under each of its names."""
    return {
        f"{path}.{name}".removeprefix("."): tensor
        for path, part in module.named_modules(remove_duplicate=False)
        for name, tensor in {**part._parameters, **part._buffers}.items()
        if tensor is not None and name not in part._non_persistent_buffers_set
    }


def as_in_files(table: WeightTable, head: str, ours: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a checkpoint, by name, that hold one of ours; none where no rule is about it."""
    place = table.find(head, ours)
    if place is None:
        return
    _, rule, theirs = place
    for first, view in zip(theirs, rule.views(tensor), strict=True):
        for their in (first, *table.second_names(first, head=head)):
            yield table.stored_name(head, their), view


def entries_as_in_files(table: WeightTable, head: str, entries: Mapping[str, TensorEntry]) -> dict[str, TensorEntry]:
    """Tensors of a file that has our names, by the names of a checkpoint; one that no rule is about keeps its own."""
    found: dict[str, TensorEntry] = {}
    for ours, entry in entries.items():
        blank = torch.empty_strided(entry.shape, entry.stride, dtype=entry.dtype, device="meta")
        try:
            views = dict(as_in_files(table, head, ours, blank)) or {ours: blank}
        except (RuntimeError, ValueError, IndexError) as error:
            raise CheckpointError(f"misshapen {in_one_line(ours, 200)} {entry.shape}: {error}") from None
        found.update({name: _part(entry, name, view) for name, view in views.items()})
    return found


def from_files(table: WeightTable, head: str, module: nn.Module, theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of a checkpoint, by ours; what no parameter takes keeps its name, what lacks is left out.

    Raises `CheckpointError` for a tensor of another shape than the module has room for.
    """
    left, found = {name: theirs[own] for name, own in table.present_names(theirs).items()}, dict[str, Tensor]()
    taken: set[str] = set()
    for name, like in tensors_of(module).items():
        _, rule, sources = table.find(head, name) or ("", None, ())
        held = [next((each for each in (s, *table.second_names(s)) if each in left), None) for s in sources]
        if rule is None or None in held:
            continue
        parts = {each: left[each] for each in held if each is not None}
        first = next(iter(parts.values()))
        found[name] = tensor = torch.empty_like(like, dtype=first.dtype, device=first.device)
        for view, (own, part) in zip(rule.views(tensor), parts.items(), strict=True):
            if view.shape != part.shape:  # copying would broadcast it where it can
                raise CheckpointError(
                    f"misshapen {in_one_line(own, 200)} {tuple(part.shape)}: must be {tuple(view.shape)}"
                )
            view.copy_(part)
        taken |= {each for source in sources for each in (source, *table.second_names(source))}
    return found | {name: tensor for name, tensor in left.items() if name not in taken and not table.ignores(name)}


def _part(entry: TensorEntry, name: str, view: Tensor) -> TensorEntry:
    start = entry.start + int(view.storage_offset()) * entry.dtype.itemsize
    return replace(entry, name=name, shape=tuple(view.shape), start=start, stride=view.stride())
