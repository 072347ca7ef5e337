"""Models whose linear layers are packed: for inference on this machine's CPU, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from tfx_core.checkpoint import Packing
from tfx_core.errors import InputError
from tfx_core.model.heads.plan import Ties
from tfx_core.nn import LinearKernel, PackedLinear, pack_linears, packed_layers, twin_with
from tfx_core.nn.linears import give_back_memory, is_plain, is_table, pack_linear
from tfx_core.nn.linears.base import TO_HAVE_IT_PLAIN


class Freezing(nn.Module, ABC):
    """What a model refuses once its linear layers are packed, and how they are plain again."""

    _tied_before: tuple[tuple[str, str], ...] = ()
    """Which of its parameters were one when they were packed."""
    _left: Tensor = torch.empty(0)
    """Of the type that is computed in, where packing leaves no parameter that says it."""

    @property
    @abstractmethod
    def ties(self) -> Ties:
        """Pairs of parameters that may be one."""

    @abstractmethod
    def tie(self, name: str, to: str) -> None:
        """Make the parameter ``name`` the very tensor that the parameter ``to`` is."""

    @abstractmethod
    def _held(self, name: str) -> object:
        """The parameter of this name."""

    @property
    def frozen(self) -> bool:
        """Whether its linear layers are packed: it is for inference on this machine's CPU."""
        return next(packed_layers(self), None) is not None

    @property
    def _sample(self) -> Tensor:
        """A tensor of the type and on the device that are computed in."""
        return next(self.parameters(), self._left)

    def packing(self, kernel: LinearKernel) -> Packing:
        """Its layers packed as soon as they are loaded; `freeze` packs those that share what they have."""
        return Packing(
            modules=frozenset(name for name, each in self.named_modules() if is_plain(each)),
            pack=lambda name: pack_linear(self, name, kernel),
            types={f"{name}.weight": kernel.table_dtype for name, each in self.named_modules() if is_table(each)},
        )

    def freeze(self, kernel: LinearKernel) -> None:
        """Pack all plain linear layers, and let nothing else learn; what they were is freed layer by layer."""
        self._tied_before = tuple((name, to) for name, to in self.ties if self._held(name) is self._held(to))
        give_back_memory()  # before what is largest, an output layer that shares its weight
        pack_linears(self, kernel)
        give_back_memory()
        self.requires_grad_(False)
        self._left = torch.empty(0, dtype=kernel.dtype)

    def unfrozen(self) -> Self:
        """A twin with plain layers, the other parameters shared; raises `InputError` where weights were rounded."""
        if any(not each.is_exact for each in packed_layers(self)):
            raise InputError(
                "the weights of this model were rounded when they were packed; save, or train, what it was loaded from"
            )
        plain: Self = twin_with(self, lambda each: each.unpacked() if isinstance(each, PackedLinear) else None)
        vars(plain).pop("_tied_before", None)
        for name, to in self._tied_before:
            plain.tie(name, to)
        return plain

    def train(self, mode: bool = True) -> Self:
        """Training mode, or evaluation; raises `InputError` for a frozen model, which cannot learn."""
        if mode:
            self._check_plain("train")
        return super().train(mode)

    def _check_plain(self, change: str) -> None:
        """Raise `InputError` for a frozen model: it has no weights for this change."""
        if self.frozen:
            raise InputError(f"{change}: the weights of this model are packed for inference; {TO_HAVE_IT_PLAIN}")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if self.frozen:
            given = self._sample.detach()[:0]
            found = fn(given)
            if (found.dtype, found.device) != (given.dtype, given.device):
                raise InputError(
                    f"to({found.dtype}, {found.device}): the weights of this model are packed for this machine's CPU; "
                    f"{TO_HAVE_IT_PLAIN}"
                )
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
