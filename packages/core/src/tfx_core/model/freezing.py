"""Models whose linear layers are packed: for inference on this machine's CPU, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

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

    _of_packed: Tensor | None = None
    """What packed layers read and give, an empty one; there may be no parameter beside them that tells."""

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
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self._typical.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the parameters, or of what packed layers give."""
        return self._typical.dtype

    @property
    def _typical(self) -> Tensor:
        return next(self.parameters()) if self._of_packed is None else self._of_packed

    @property
    def frozen(self) -> bool:
        """Whether its linear layers are packed: it is for inference on this machine's CPU."""
        return next(packed_layers(self), None) is not None

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
        self._of_packed = torch.empty(0, dtype=kernel.dtype)
        self.requires_grad_(False)

    def unfrozen(self) -> Self:
        """A twin with plain layers, the other parameters shared; raises `InputError` where weights were rounded."""
        if any(not each.is_exact for each in packed_layers(self)):
            raise InputError(
                "the weights of this model were rounded when they were packed; save, or train, what it was loaded from"
            )
        plain: Self = twin_with(self, lambda each: each.unpacked() if isinstance(each, PackedLinear) else None)
        for name in ("_tied_before", "_of_packed"):
            vars(plain).pop(name, None)
        for name, to in self._tied_before:
            plain.tie(name, to)
        return plain

    def train(self, mode: bool = True) -> Self:
        """Training mode, or evaluation; raises `InputError` for a frozen model, which cannot learn."""
        if mode:
            self._check_plain("train")
        return super().train(mode)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether parameters shall learn; raises `InputError` for a frozen model, which cannot."""
        if requires_grad:
            self._check_plain("requires_grad_")
        return super().requires_grad_(requires_grad)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As of any module; raises `InputError` for a frozen model, which has no place for what is loaded."""
        self._check_plain("load_state_dict")
        return super().load_state_dict(*args, **kwargs)

    def _check_plain(self, change: str) -> None:
        """Raise `InputError` for a frozen model: it has no weights for this change."""
        if self.frozen:
            raise InputError(f"{change}: the weights of this model are packed for inference; {TO_HAVE_IT_PLAIN}")

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if self.frozen:
            found = fn(self._typical.detach()[:0])
            if (found.dtype, found.device) != (self.dtype, self.device):
                raise InputError(
                    f"to({found.dtype}, {found.device}): the weights of this model are packed for this machine's CPU; "
                    f"{TO_HAVE_IT_PLAIN}"
                )
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
