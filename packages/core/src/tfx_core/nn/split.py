"""A linear layer as several, for who looks for each of them by a name of its own."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class SplitLinear(nn.Module):
    """Linear layers under names of their own, whose outputs stand one after another: one that was fused, taken apart.

    ``weight`` and ``bias`` are those of the whole, put together when they are read.
    """

    def __init__(self, parts: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""
        outputs = [part(x) for part in self.children()]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)

    @property
    def weight(self) -> Tensor:
        """``(D', D)``."""
        weights: list[Tensor] = [part.weight for part in self._parts]
        return torch.cat(weights)

    @property
    def bias(self) -> Tensor | None:
        """``(D',)``."""
        biases = [bias for part in self._parts if (bias := _bias(part)) is not None]
        return torch.cat(biases) if biases else None

    @property
    def in_features(self) -> int:
        """``D``."""
        return self._parts[0].in_features

    @property
    def out_features(self) -> int:
        """``D'``."""
        return sum(part.out_features for part in self._parts)

    @property
    def _parts(self) -> list[nn.Linear]:
        return list(self.children())  # type: ignore[arg-type]


def split_linear(linear: nn.Linear, sizes: Mapping[str, int]) -> SplitLinear:
    """The layer as several with so many of its outputs each, by name; parameters are copied."""
    rows, bias = list(sizes.values()), _bias(linear)
    weights = torch.split(linear.weight, rows)
    biases = [None] * len(rows) if bias is None else torch.split(bias, rows)
    pairs = zip(sizes, weights, biases, strict=True)
    return SplitLinear({name: linear_of(weight, bias, linear) for name, weight, bias in pairs})


def _bias(linear: nn.Linear) -> Tensor | None:
    return linear.bias


def linear_of(weight: Tensor, bias: Tensor | None, like: nn.Module) -> nn.Linear:
    """A layer with copies of a weight ``(D', D)`` and a bias ``(D',)``, trained where ``like`` is."""
    new = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    for name, values in {"weight": weight, "bias": bias}.items():
        if values is not None:
            trained = getattr(like, name).requires_grad
            setattr(new, name, nn.Parameter(values.detach().clone(), requires_grad=trained))
    return new
