"""What an architecture and its reference give of the same inputs, side by side."""

import inspect
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.model import Model
from tfx_core.nn import Memory

TOLERANCE: dict[str, Any] = {"rtol": 1e-4, "atol": 2e-5}


def takes(reference: Any, name: str) -> bool:
    """Whether a call of the reference's model takes an input of this name."""
    parameters = inspect.signature(reference.forward).parameters
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def uncached(reference: Any) -> dict[str, bool]:
    """No cache in the reference: with one, some of its models misplace tokens, or cannot run without a source."""
    return {"use_cache": False} if "use_cache" in inspect.signature(reference.forward).parameters else {}


def faults(model: Any, report: dict[str, Any]) -> list[str]:
    """What the reference found wrong with a folder; names that share a tensor with a loaded one are not missing."""
    loaded = {tensor.data_ptr() for name, tensor in model.state_dict().items() if name not in report["missing_keys"]}
    missing = [name for name in report["missing_keys"] if model.state_dict()[name].data_ptr() not in loaded]
    return missing + [str(each) for key in ("unexpected_keys", "mismatched_keys", "error_msgs") for each in report[key]]


def gradient(parameter: Tensor) -> Tensor:
    """The gradient, zero where nothing reached the parameter."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def as_the_reference_names_them(model: Model, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by our parameters' names -> views of them by the names in a checkpoint."""
    table, named = model.weight_table, {}
    for ours, tensor in tensors.items():
        found = table.find(model.head_name, ours)
        if found is not None:  # a table in two places has its rule for one of them
            _, rule, sources = found
            for each, view in zip(sources, rule.views(tensor), strict=True):
                names = {each, *table.written_names(each)}
                named.update({table.stored_name(model.head_name, name): view for name in names})
    return named


def flat(output: Any) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of an output, tuples taken apart, caches left out."""
    for name, value in output.items():
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, tuple | Memory):
            yield from ((f"{name}.{place}", each) for place, each in enumerate(value) if isinstance(each, Tensor))


def scalar(output: Any) -> Tensor:
    """The loss, or for a bare backbone something that every parameter reaches."""
    if output.get("loss") is not None:
        loss: Tensor = output["loss"]
        return loss
    return sum((value.square().mean() for name, value in flat(output) if "." not in name), torch.zeros(()))


def compare(name: str, ours: Tensor, theirs: Tensor) -> None:
    """Fail unless a tensor is that of the reference but for rounding."""
    # a bare backbone of the reference keeps the axis of choices in its last state alone
    ours = ours.reshape(theirs.shape) if ours.numel() == theirs.numel() else ours
    torch.testing.assert_close(ours, theirs, **TOLERANCE, msg=lambda said: f"{name}: {said}")


def on_real_tokens(ours: Tensor, theirs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Both without what they have of padding, where ``mask`` (B, S) or (B, C, S) tells the real tokens."""
    ours = ours.reshape(theirs.shape)
    for rows in (mask, mask.flatten(0, -2), *_of_streams(mask, theirs)):
        if theirs.shape[: rows.dim()] == rows.shape:
            theirs, ours = theirs[rows], ours[rows]
    return ours, theirs


def _of_streams(mask: Tensor, value: Tensor) -> Iterator[Tensor]:
    """Which states are of real tokens where each token ``(B, S)`` has several: ``(B, n·S)`` or ``(B, n, S)``."""
    if value.dim() > 2 and mask.dim() == 2:
        yield mask.repeat(1, value.shape[1] // mask.shape[1])
        yield mask[:, None].expand(-1, value.shape[1], -1)
        yield F.pad(mask, (max(0, value.shape[1] - mask.shape[1]), 0), value=True)  # after what is no text
