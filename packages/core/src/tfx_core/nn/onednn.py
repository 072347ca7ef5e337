"""Linear layers of inference on a CPU, computed by oneDNN instead of torch's own matrix product."""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)
_ROWS = 8
"""Tokens that the blocks are best for; they are good for 2 to 64."""
_CALLS_BEFORE_PACKING = 5
"""Packing a weight takes as long as it saves in some ten to sixty calls: it is for texts that turn out longer."""


class OneDnnLinear(nn.Linear):
    """A float32 layer that oneDNN computes from the weight as it is, as exactly as a plain one.

    Few rows gain most: one, on more than one core, takes half the time, for torch's product leaves it to a single one.
    A layer that is called often with several keeps a second copy of its weight, in blocks as oneDNN wants it: a few
    rows then take up to 40 % less time. It serves until the weight changes.
    """

    def __init__(self, linear: nn.Linear) -> None:
        vars(self).update(vars(linear))  # nn.Linear's own would draw a weight, which takes longer than all the rest
        self._blocks: Tensor | None = None
        self._calls = 0

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        # a product with one vector needs no blocks
        weight = self.weight if x.numel() == self.in_features else self._packed()
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, self.bias, "none", [], "")
        return y

    def _packed(self) -> Tensor:
        """The blocks, or the weight itself as long as these are not worth their time."""
        self._calls += 1
        if self._calls == _CALLS_BEFORE_PACKING:
            self._blocks = torch.ops.mkldnn._reorder_linear_weight(self.weight.detach(), _ROWS)
        return self.weight if self._blocks is None else self._blocks


def for_inference(module: _Module) -> _Module:
    """A twin of a module, with the same parameters, in which `OneDnnLinear` stands for linear layers where it can.

    It is for use without gradients and autocast; where these are on, it is the module itself.
    """
    if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or not _has_kernel():
        return module
    return _twin(module)


def _twin(module: _Module) -> _Module:
    twin = copy.copy(module)
    twin._modules = {name: child if child is None else _replacement(child) for name, child in module._modules.items()}
    return twin


def _replacement(module: nn.Module) -> nn.Module:
    if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
        return module  # somebody watches or replaces what this very module does
    if _is_plain(module):
        assert isinstance(module, nn.Linear)
        return OneDnnLinear(module)
    return _twin(module) if module._modules else module


def _is_plain(module: nn.Module) -> bool:
    if type(module) is not nn.Linear:  # a subclass may compute something else
        return False
    weight = module.weight
    return weight.dtype == torch.float32 and weight.device.type == "cpu" and weight.is_contiguous()


def _has_kernel() -> bool:
    mkldnn = torch.backends.mkldnn
    return bool(mkldnn.is_available() and mkldnn.enabled)  # type: ignore[no-untyped-call]
