"""Puts packed layers into a model, in the place of plain ones."""

import ctypes
import os
from collections.abc import Callable, Iterator
from copy import copy
from typing import TypeGuard, TypeVar

from torch import nn

from tfx_core.nn.linears.base import LinearKernel, PackedLinear
from tfx_core.nn.linears.tables import RoundedEmbedding

_Module = TypeVar("_Module", bound=nn.Module)


def pack_linears(module: nn.Module, kernel: LinearKernel) -> None:
    """Replace all plain linear layers below a module by packed ones, one after another, so that little is held twice.

    Tables of embeddings become those of the kernel's type. A layer that stands in several places stays one. A subclass
    of `torch.nn.Linear` computes something of its own, and stays; so does what somebody watches or replaces.
    """
    made: dict[nn.Module, nn.Module] = {}
    for parent in list(module.modules()):
        for name, child in parent._modules.items():
            if child is not None and (is_plain(child) or is_table(child)):
                if child not in made:
                    made[child] = _packed(child, kernel)
                parent._modules[name] = made[child]


def give_back_memory() -> None:
    """Give back to the system what is free, where the C library can (glibc, malloc_trim(3)).

    What was freed weight by weight lies between packed ones, and would not go by itself.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def pack_linear(module: nn.Module, name: str, kernel: LinearKernel) -> None:
    """Replace the one plain layer of this name, which stands nowhere else."""
    parent, _, attribute = name.rpartition(".")
    owner = module.get_submodule(parent)
    owner._modules[attribute] = _packed(owner.get_submodule(attribute), kernel)


def is_table(module: nn.Module) -> TypeGuard[nn.Embedding]:
    """Whether it gives the rows of `torch.nn.Embedding`, and nobody watches or replaces that."""
    return type(module) is nn.Embedding and module.max_norm is None and not is_watched(module)


def _packed(module: nn.Module, kernel: LinearKernel) -> nn.Module:
    if is_table(module):
        kept, given = kernel.table_dtype, kernel.dtype
        return module if kept is given else RoundedEmbedding(module, kept, given)
    assert is_plain(module)
    packed = kernel.pack(module.weight, module.bias)
    module._parameters.clear()  # or what has been packed would wait for the rest
    return packed


def twin_with(module: _Module, replacement: Callable[[nn.Module], nn.Module | None]) -> _Module:
    """A copy of a module with the same parameters, but for the modules below it that a replacement stands for."""
    twin = copy(module)
    children = {
        name: None if child is None else _replaced(child, replacement) for name, child in module._modules.items()
    }
    twin._modules = children
    return twin


def _replaced(module: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> nn.Module:
    found = replacement(module)
    if found is None:
        return twin_with(module, replacement) if module._modules else module
    return found


def is_plain(module: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether it computes what `torch.nn.Linear` does, and nobody watches or replaces that."""
    return type(module) is nn.Linear and not is_watched(module)


def is_watched(module: nn.Module) -> bool:
    """Whether somebody watches or replaces what this very module does, a compiler among them."""
    compiled = module._compiled_call_impl is not None  # it calls this very module, and is not copied with it
    return bool(compiled or module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def packed_layers(module: nn.Module) -> Iterator[PackedLinear]:
    """Those in a module."""
    return (each for each in module.modules() if isinstance(each, PackedLinear))
