"""Which tokens of a batch are real: the one place that works out positions, keys and rows from padding."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn.bias import Allowed
from tfx_core.nn.layout import PADDED, Layout, Ragged


def can_read(tensor: Tensor) -> bool:
    """Whether numbers of a tensor may decide what is computed: not on the meta device, nor in compilation."""
    return tensor.device.type != "meta" and not torch.compiler.is_compiling()


@dataclass(frozen=True, eq=False)
class RealTokens:
    """Which of ``S`` tokens in each of ``B`` rows are real: neither padding nor taken back."""

    batch: int
    length: int
    device: torch.device
    mask: Tensor | None = None
    """Boolean ``(B, S)``, true where a token is real; ``None`` where all are."""

    @classmethod
    def of(cls, tokens: Tensor, mask: Tensor | None = None, *, name: str = "attention_mask") -> "RealTokens":
        """Of tokens ``(B, S, …)`` by a mask ``(B, S)`` of zeros and ones, without one all.

        Raises `InputError` under the ``name`` of the mask where it does not fit.
        """
        batch, length = tokens.shape[:2]
        if mask is None:
            return cls(batch, length, tokens.device)
        if mask.shape != (batch, length):
            raise InputError(f"{name} of shape {tuple(mask.shape)}: these tokens ask for ({batch}, {length})")
        mask = mask.bool()
        known_whole = can_read(mask) and bool(mask.all())
        return cls(batch, length, tokens.device, None if known_whole else mask)

    @property
    def dense_mask(self) -> Tensor:
        """The mask also where all are real, ``(B, S)``."""
        if self.mask is not None:
            return self.mask
        return torch.ones(self.batch, self.length, dtype=torch.bool, device=self.device)

    @property
    def column_positions(self) -> Tensor:
        """``(1, S)``, each by its column, padding included."""
        return torch.arange(self.length, device=self.device)[None]

    @property
    def positions(self) -> Tensor:
        """``(B|1, S)``, each counted in its row's real tokens, so that padding moves nothing."""
        if self.mask is None:
            return self.column_positions
        return (self.mask.long().cumsum(-1) - 1).clamp(min=0)

    @property
    def distances_by_column(self) -> bool:
        """Whether columns tell how far real tokens are from each other: no padding comes between them."""
        if self.mask is None:
            return True
        if not can_read(self.mask):
            return False
        begins = F.pad(self.mask, (1, 0))[:, :-1].logical_not() & self.mask
        return bool((begins.sum(1) <= 1).all())

    @property
    def relative_positions(self) -> Tensor:
        """``(B|1, S)``, of which only differences mean something: by column where that will do."""
        return self.column_positions if self.distances_by_column else self.positions

    @property
    def keys(self) -> Allowed | None:
        """Lets every query see the real tokens; ``None`` where that is all."""
        return None if self.mask is None else Allowed(self.mask[:, None, None])

    @property
    def layout(self) -> Layout:
        """Without padding, where that is known."""
        return Ragged(self.mask) if self.mask is not None and can_read(self.mask) else PADDED

    def append(self, new: "RealTokens") -> "RealTokens":
        """These and, after them in every row, the ``new`` ones."""
        length = self.length + new.length
        if self.mask is None and new.mask is None:
            return replace(self, length=length)
        return replace(self, length=length, mask=torch.cat((self.dense_mask, new.dense_mask), dim=1))

    def append_real(self, count: int = 1) -> "RealTokens":
        """These and ``count`` more, all real."""
        return self.append(replace(self, length=count, mask=None))

    def select(self, rows: Tensor) -> "RealTokens":
        """Row ``i`` becomes what row ``rows[i]`` was."""
        return replace(self, batch=len(rows), mask=None if self.mask is None else self.mask.index_select(0, rows))

    def columns(self, start: int, stop: int) -> "RealTokens":
        """The tokens from column ``start`` to before ``stop``."""
        return replace(self, length=stop - start, mask=None if self.mask is None else self.mask[:, start:stop])

    def first(self, count: int) -> "RealTokens":
        """Of every row only the first ``count`` real tokens, in as many columns as before."""
        if count >= self.length:
            return self
        mask = self.dense_mask
        return replace(self, mask=mask & (mask.cumsum(1) <= count))

    def last(self, count: int) -> "RealTokens":
        """Of every row only the last ``count`` real tokens, in as many columns as before."""
        if count >= self.length:
            return self
        mask = self.dense_mask
        return replace(self, mask=mask & (mask.flip(1).cumsum(1).flip(1) <= count))

    def trimmed(self, count: int) -> "tuple[RealTokens, int]":
        """Of every row only the last ``count`` real tokens, without the columns before them all; and their number."""
        if self.mask is None:
            gone = max(self.length - count, 0)
            return self.columns(gone, self.length), gone
        mask = self.last(count).dense_mask
        gone = int(mask.any(0).logical_not().long().cumprod(0).sum())
        mask = mask[:, gone:]
        return replace(self, length=self.length - gone, mask=None if bool(mask.all()) else mask), gone

    def kept(self, counts: Tensor, of: int) -> "RealTokens":
        """Without those of the last ``of`` columns that follow the first ``counts[i]`` in row ``i``."""
        fewest, most = int(counts.min()), int(counts.max())
        start = self.length - of
        if self.mask is None and fewest == most:
            return self.columns(0, start + most)
        mask = self.dense_mask.clone()
        mask[:, start:] &= torch.arange(of, device=self.device) < counts[:, None]
        return replace(self, length=start + most, mask=mask[:, : start + most])

    def order_real_last(self) -> Tensor:
        """``(B, S)``: the columns of each row, padding first and then the real tokens, each in their order."""
        return self.dense_mask.long().argsort(dim=1, stable=True)

    def gather(self, columns: Tensor) -> "RealTokens":
        """Row by row the tokens of these columns ``(B, N)``."""
        return replace(self, length=columns.shape[1], mask=self.dense_mask.gather(1, columns))
