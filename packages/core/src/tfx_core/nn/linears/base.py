"""What a linear kernel is: how linear layers are computed on a CPU where nothing is learnt."""

from abc import ABC, abstractmethod
from copy import copy
from typing import Any, ClassVar, NoReturn, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError

TO_HAVE_IT_PLAIN = "load it with frozen=False and dtype='float32', or 'bfloat16'"
"""What to do with a model that is to learn, or to be moved: true of every type of packed weights."""


class PackedLinear(nn.Module, ABC):
    """A linear layer whose weight is kept in the form that its kernel reads fastest, and in no other.

    It has no parameters: nothing of it is learnt, moved to a device or turned into another type.
    """

    is_exact: ClassVar[bool]
    """Whether `weight` is what was packed, to the last bit."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        # no buffer: what stands beside a packed weight goes where that goes, which is nowhere
        self._constant_bias = None if bias is None else bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``; raises `InputError` where a gradient would have to pass."""
        if x.requires_grad and torch.is_grad_enabled():
            raise InputError(
                f"gradients do not pass the weights of a model that are packed for inference; {TO_HAVE_IT_PLAIN}"
            )
        if torch.compiler.is_compiling():
            from tfx_core.nn.linears.uncompiled import computed  # here, for it imports the compiler

            return computed(self, x)
        return self.computed(x)

    @abstractmethod
    def computed(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, D')``."""

    @property
    @abstractmethod
    def weight(self) -> Tensor:
        """``(D', D)``, made anew at each call, as exactly as it is kept."""

    @property
    def bias(self) -> Tensor | None:
        """``(D',)``."""
        return self._constant_bias

    def unpacked(self) -> nn.Linear:
        """A plain layer with the same numbers."""
        plain = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        plain.weight = nn.Parameter(self.weight, requires_grad=False)
        if self.bias is not None:
            plain.bias = nn.Parameter(self.bias, requires_grad=False)
        return plain

    def extra_repr(self) -> str:
        """As of a plain layer."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def __copy__(self) -> Self:
        made = type(self).__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        made = self.__copy__()  # what is never written needs no second copy; who watches it does
        vars(made).update({name: copy(each) for name, each in vars(self).items() if isinstance(each, dict)})
        return made

    def __getstate__(self) -> NoReturn:
        raise InputError(
            "a model whose weights are packed for this machine cannot be pickled; send the folder that it was loaded "
            "from, and load it there"
        )


@runtime_checkable
class LinearKernel(Protocol):
    """Packs weights and computes with them; the target of a `tfx_core.LinearSpec`."""

    @property
    def dtype(self) -> torch.dtype:
        """What the layers read and give on this machine, and so the type of all that is not packed."""
        ...

    @property
    def table_dtype(self) -> torch.dtype:
        """What tables of embeddings are kept in: as `dtype`, or of fewer bits."""
        ...

    def missing(self) -> str | None:
        """What this machine lacks for it, to stand behind a colon; ``None`` where it can be used."""
        ...

    def pack(self, weight: Tensor, bias: Tensor | None) -> PackedLinear:
        """A layer of a weight ``(D', D)``, of `dtype` or, where it is a table, `table_dtype`, and a bias ``(D',)``."""
        ...
