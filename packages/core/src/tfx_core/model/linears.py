"""What ``dtype=`` and ``frozen=`` ask of the linear layers: plain ones, or packed by a kernel of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch

from tfx_core.errors import InputError, UnknownNameError, shown
from tfx_core.nn import LinearKernel
from tfx_core.plugins import LinearSpec, registry

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}
"""Names of the types that plain layers may have."""


def kernel_for(dtype: str | torch.dtype, frozen: bool | None, device: torch.device) -> LinearKernel | None:
    """The kernel that packs the layers; ``None`` where they stay plain: by default of all types that can be learnt in.

    Raises `InputError` where packing is asked for and there is none for the type or the device, and where it is not
    and there is nothing else.
    """
    name = _name(dtype)
    learns = name in DTYPES or name == "auto"
    if frozen is None:
        frozen = not learns
    if not frozen:
        if not learns and name in _packed_types():
            raise InputError(f"frozen=False: dtype={name!r} is for inference alone; take 'float32' or 'bfloat16'")
        return None
    if device.type != "cpu":
        cure = "take dtype='bfloat16' there" if not learns else "leave frozen out"
        raise InputError(
            f"dtype={name!r}, frozen: weights are packed for a CPU, not for device={str(device)!r}; {cure}"
        )
    if learns and name not in _packed_types():
        raise InputError(f"dtype={name!r}: frozen models have one of {', '.join(map(repr, _packed_types()))}")
    return kernel_named(name)


def kernel_named(name: str) -> LinearKernel:
    """The first of a name's kernels that this machine can use; raises `InputError` that says what each misses."""
    listed = kernels_here(name)
    used = next((each.kernel for each in listed if each.used), None)
    if used is None:
        raise InputError(f"dtype={name!r}: {'; '.join(str(each.lacks) for each in listed)}")
    return used


@dataclass(frozen=True)
class KernelHere:
    """A kernel of a name on this machine."""

    kernel: LinearKernel
    lacks: str | None
    """What the machine misses for it."""
    used: bool
    """Whether it is the one that packs: the first that lacks nothing."""


def kernels_here(name: str) -> list[KernelHere]:
    """All kernels of a name, the preferred one first; raises `InputError` that says which names there are."""
    return judged(_kernels_named(name))


def judged(kernels: Sequence[LinearKernel]) -> list[KernelHere]:
    """Which of several kernels, the preferred one first, this machine has, and which one it uses."""
    lacks = [each.missing() for each in kernels]
    first = lacks.index(None) if None in lacks else None
    return [KernelHere(each, lacks[place], place == first) for place, each in enumerate(kernels)]


def _kernels_named(name: str) -> Sequence[LinearKernel]:
    try:
        found = registry.load(LinearSpec, name)
    except UnknownNameError:
        known = [*DTYPES, *(each for each in _packed_types() if each not in DTYPES)]
        raise InputError(f"dtype={shown(name)}: must be 'auto' or one of {', '.join(map(repr, known))}") from None
    return found if isinstance(found, Sequence) else [cast(LinearKernel, found)]


def dtype_of(dtype: str | torch.dtype) -> torch.dtype | None:
    """The type of plain layers; ``None`` for ``"auto"``, as stored. Raises `InputError` for what is none."""
    name = _name(dtype)
    if name == "auto":
        return None
    if name not in DTYPES:
        said = name if isinstance(dtype, torch.dtype) else dtype
        raise InputError(f"dtype={shown(said)}: must be 'auto' or one of {', '.join(map(repr, DTYPES))}")
    return DTYPES[name]


def _name(dtype: str | torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _packed_types() -> list[str]:
    return [entry.spec.name for entry in registry.specs(LinearSpec)]
