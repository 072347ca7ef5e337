"""What a computation holds in memory and multiplies, counted while it runs, so the same in every run."""

import os
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Counts:
    """Of one computation."""

    peak: int
    """Bytes held at once, at most, beyond what was there before."""
    multiplications: int
    """Of numbers of matrices, those that are masked afterwards included."""


def counted(call: Callable[[], object], device: torch.device) -> Counts:
    """What a call holds and multiplies; on a CPU tensors are counted, not what one operation holds within."""
    held: HeldTensors | _OfCuda = _OfCuda(device) if device.type == "cuda" else HeldTensors()
    with FlopCounterMode(display=False, custom_mapping=_OF_THE_CPU) as counter, held:
        result = call()
    del result
    return Counts(held.peak, counter.get_total_flops() // 2)


def free_memory(device: torch.device) -> int:
    """Bytes that a computation may take, as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    known = Path("/proc/meminfo")
    if known.exists():
        lines = dict(line.split(":", 1) for line in known.read_text(encoding="utf-8").splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else sys.maxsize


class HeldTensors(TorchDispatchMode):
    """The bytes of the tensors made within, as many as are held at once, at most."""

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.peak = 0
        self._now = 0
        self._known: weakref.WeakSet[UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        self._new((args, kwargs))  # these were there before
        result = func(*args, **kwargs)
        for storage in self._new(result):
            self._now += storage.nbytes()
            weakref.finalize(storage, self._release, storage.nbytes())
        self.peak = max(self.peak, self._now)
        return result

    def _new(self, values: object) -> list[UntypedStorage]:
        """The storages that are seen for the first time."""
        storages = {each.untyped_storage() for each in tree_leaves(values) if isinstance(each, Tensor)}
        new = [each for each in storages if each not in self._known]
        self._known.update(new)
        return new

    def _release(self, size: int) -> None:
        self._now -= size


class _OfCuda:
    """The bytes that torch allocates within, as many as it holds at once, at most."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.peak = 0

    def __enter__(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.device)
        self._before = torch.cuda.memory_allocated(self.device)

    def __exit__(self, *_: object) -> None:
        self.peak = torch.cuda.max_memory_allocated(self.device) - self._before


def _attention(query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], *_: object, **__: object) -> int:
    """Operations of attention, given the shapes: queries with keys, weights with values."""
    batch, heads, length, width = query
    return 2 * batch * heads * length * key[2] * (width + value[3])


def _gradient(context: tuple[int, ...], query: tuple[int, ...], *rest: Any, **__: object) -> int:
    """Operations of its gradients: the scores once more, and two products for each of the forward pass."""
    key, value = rest[:2]
    return 2 * _attention(query, key, value) + _attention(query, key, key) // 2


_OF_THE_CPU = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _gradient,
}
"""What torch does not count itself."""
