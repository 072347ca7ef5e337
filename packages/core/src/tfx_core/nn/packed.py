"""Linear layers that read few tokens many times, as decoding does, arranged for the CPU's matrix product."""

import copy

import torch
from torch import Tensor, nn

_ROWS = 8
"""Tokens that the arrangement is best for; it is good for 2 to 64."""


class PackedLinear(nn.Linear):
    """A float32 layer with a second copy of its weight, in blocks as oneDNN wants it; the results are as exact.

    From two tokens on it takes about half the time of a plain layer, whose weight is rearranged in every call.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        if x.numel() == self.in_features:  # a product with one vector needs no blocks
            return super().forward(x)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return y


def packed(module: nn.Module) -> nn.Module:
    """A twin of a module, with the same parameters, whose linear layers are packed where that is possible.

    It takes as much memory again as the weights, and is for inference until the weights change.
    """
    if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or not _has_kernel():
        return module
    return _twin(module)


def _twin(module: nn.Module) -> nn.Module:
    if _can_be_packed(module):
        assert isinstance(module, nn.Linear)
        return PackedLinear(module)
    twin = copy.copy(module)
    twin._modules = {name: child if child is None else _twin(child) for name, child in module._modules.items()}
    return twin


def _can_be_packed(module: nn.Module) -> bool:
    # a subclass may compute something else, and hooks want to be called
    if type(module) is not nn.Linear or module._forward_hooks or module._forward_pre_hooks:
        return False
    return module.weight.dtype == torch.float32 and module.weight.device.type == "cpu"


def _has_kernel() -> bool:
    mkldnn = torch.backends.mkldnn
    return bool(mkldnn.is_available() and mkldnn.enabled)  # type: ignore[no-untyped-call]
