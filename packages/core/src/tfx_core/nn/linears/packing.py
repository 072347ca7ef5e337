"""Puts packed layers into a model, in the place of plain ones."""

from collections.abc import Callable, Iterator
from copy import copy
from typing import TypeGuard, TypeVar

from torch import nn

from tfx_core.nn.linears.base import LinearKernel, PackedLinear

_Module = TypeVar("_Module", bound=nn.Module)


def pack_linears(module: nn.Module, kernel: LinearKernel) -> None:
    """Replace all plain linear layers below a module by packed ones, one after another, so that little is held twice.

    A layer that stands in several places stays one. A subclass of `torch.nn.Linear` computes something of its own, and
    stays; so does what somebody watches or replaces.
    """
    made: dict[nn.Module, PackedLinear] = {}
    for parent in list(module.modules()):
        for name, child in parent._modules.items():
            if child is not None and is_plain(child):
                if child not in made:
                    made[child] = kernel.pack(child.weight, child.bias)
                    child._parameters.clear()  # or what has been packed would wait for the rest
                parent._modules[name] = made[child]


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
