"""A twin of a model for inference on a CPU, with the same parameters, whose linear layers oneDNN computes."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from tfx_core.nn.linears.onednn import OneDnn
from tfx_core.nn.linears.packing import is_plain, is_watched, twin_with

_Module = TypeVar("_Module", bound=nn.Module)


class OneDnnLinear(nn.Linear):
    """A float32 layer that oneDNN computes from the weight as it is, as exactly as a plain one.

    One row, on more than one core, takes half the time, for torch's product leaves it to a single one; others take as
    long. Packed layers (`tfx_core.nn.PackedLinear`) are faster, and cannot learn.
    """

    def __init__(self, linear: nn.Linear) -> None:
        vars(self).update(vars(linear))  # nn.Linear's own would draw a weight, which takes longer than all the rest

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return y


def for_inference(module: _Module) -> _Module:
    """A twin of a module, with the same parameters, in which `OneDnnLinear` stands for linear layers where it can.

    It is for use without gradients and autocast; where these are on, it is the module itself.
    """
    lacks = OneDnn(torch.float32).missing()
    if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or lacks:
        return module
    return twin_with(module, _replacement)


def _replacement(module: nn.Module) -> nn.Module | None:
    if is_watched(module):
        return module
    if type(module) is nn.Dropout and not module.training:
        return nn.Identity()  # a step of decoding is short, and has three of them a layer
    if not is_plain(module):
        return None
    weight = module.weight
    on_cpu = weight.dtype == torch.float32 and weight.device.type == "cpu" and weight.is_contiguous()
    return OneDnnLinear(module) if on_cpu else module
