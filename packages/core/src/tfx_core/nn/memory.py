"""What segment recurrence remembers between calls; typed state that is passed in, never kept in modules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor
from torch.export import register_dataclass

from tfx_core.errors import InputError
from tfx_core.nn.real_tokens import RealTokens


@dataclass(frozen=True, eq=False)
class Memory(Sequence[Tensor]):
    """States of earlier tokens, for every layer those that it read (Dai et al. 2019, §3.2).

    As a sequence it is what the reference calls ``mems``: a tensor ``(M, B, D)`` for each layer, slots first. Rows that
    were padded remember fewer tokens; ``mask`` knows the slots that are real.
    """

    layers: tuple[Tensor, ...]
    """``(B, M, D)`` each."""

    mask: Tensor | None = None
    """Boolean ``(B, M)``, true where a slot holds a real token; ``None`` where all do."""

    @classmethod
    def of(cls, mems: Sequence[Tensor], layers: int, batch: int) -> "Memory":
        """A memory as it came out of a call, or its tensors alone; raises `InputError` where it does not fit."""
        if any(getattr(each, "ndim", None) != 3 for each in mems):
            raise InputError(f"mems: must be what a call returned, or of each layer a tensor (slots, {batch}, width)")
        memory = mems if isinstance(mems, Memory) else cls(tuple(each.transpose(0, 1) for each in mems))
        shapes = {tuple(each.shape) for each in memory}
        if len(memory) != layers or len(shapes) != 1 or any(shape[1] != batch for shape in shapes):
            raise InputError(
                f"mems: {len(memory)} tensors of shape {', '.join(map(str, sorted(shapes)))}; "
                f"{layers} layers and {batch} rows ask for {layers} tensors of one shape (slots, {batch}, width)"
            )
        return memory

    @property
    def length(self) -> int:
        """Number of slots ``M`` of every row, those that are not real included."""
        return self.layers[0].shape[1]

    @property
    def real(self) -> RealTokens:
        """Which slots hold real tokens."""
        slots = self.layers[0]
        return RealTokens(len(slots), slots.shape[1], slots.device, self.mask)

    def select(self, rows: Tensor) -> "Memory":
        """Row ``i`` becomes what row ``rows[i]`` was; rows may repeat or be left out."""
        mask = None if self.mask is None else self.mask.index_select(0, rows)
        return Memory(tuple(each.index_select(0, rows) for each in self.layers), mask)

    def reorder(self, rows: Tensor) -> "Memory":
        """Row ``i`` continues what row ``rows[i]`` was."""
        return self.select(rows)

    @overload
    def __getitem__(self, layer: int) -> Tensor: ...
    @overload
    def __getitem__(self, layer: slice) -> tuple[Tensor, ...]: ...
    def __getitem__(self, layer: int | slice) -> Tensor | tuple[Tensor, ...]:
        """What the layer reads, ``(M, B, D)``."""
        if isinstance(layer, slice):
            return tuple(each.transpose(0, 1) for each in self.layers[layer])
        return self.layers[layer].transpose(0, 1)

    def __len__(self) -> int:
        """Number of layers."""
        return len(self.layers)


# a pytree, so that what returns one can be exported
register_dataclass(Memory, serialized_type_name=f"{Memory.__module__}.{Memory.__name__}")


def remember(
    memory: Memory | None,
    states: Sequence[Tensor],
    real: RealTokens,
    *,
    length: int | None = None,
    reuse: int | None = None,
) -> Memory:
    """The memory after a call that brought ``states`` ``(B, T, D)`` for each layer, detached from the graph.

    ``real`` are the call's tokens. Only the first ``reuse`` of them are remembered, and of all no more than the last
    ``length``; by default all. What is not real goes to the front, so that every row has its last tokens.
    """
    kept = min(reuse, real.length) if reuse else real.length
    slots = kept + (0 if memory is None else memory.length)
    slots = min(length, slots) if length else slots
    if real.mask is None:
        states, real = [each[:, :kept] for each in states], real.columns(0, kept)
    if memory is not None:
        states = [torch.cat(pair, dim=1) for pair in zip(memory.layers, states, strict=True)]
    known = real.first(kept) if memory is None else memory.real.append(real.first(kept))
    if known.mask is None:
        return Memory(tuple(each[:, known.length - slots :].detach() for each in states))
    places = known.order_real_last()[:, -slots:]  # (B, slots)
    layers = tuple(each.detach().take_along_dim(places[..., None], dim=1) for each in states)
    return Memory(layers, known.gather(places).mask)
