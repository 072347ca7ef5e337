"""Which tokens of a batch are real: the one place that works out positions, keys and rows from padding."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn.bias import Allowed, SameText
from tfx_core.nn.layout import PADDED, Aligned, Layout, Ragged, Sorted, packs, true_first


def can_read(tensor: Tensor) -> bool:
    """Whether numbers of a tensor may decide what is computed: not on the meta device, nor where calls are recorded."""
    recorded = torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None  # torch.jit.trace
    return tensor.device.type != "meta" and not recorded


def check_range(numbers: Tensor, size: int, name: str) -> None:
    """Raise `InputError` for one that is not of 0 to ``size - 1``; not where it would have to wait for a device."""
    if numbers.device.type == "cpu" and can_read(numbers) and numbers.numel():
        wrong = numbers[(numbers < 0) | (numbers >= size)]
        if len(wrong):
            raise InputError(f"{name}: {int(wrong[0])} is none of 0 to {size - 1}")


def packed_texts(positions: Tensor) -> SameText | None:
    """Hides from each other the texts that rows are packed of, as their ``positions`` ``(B, S)`` tell; else ``None``.

    They do if each position is the next one or 0 again, and both occur; a row may begin within a text.
    """
    starts = positions == 0
    follows = positions[:, 1:] == positions[:, :-1] + 1
    packed = (follows | starts[:, 1:]).all() & starts[:, 1:].any() & follows.any()
    if can_read(positions) and not bool(packed):
        return None
    return SameText(starts.cumsum(1) * packed)  # where nothing can be read, the answer is in the numbers


@dataclass(frozen=True, eq=False)
class RealTokens:
    """Which of ``S`` tokens in each of ``B`` rows are real: neither padding nor taken back."""

    batch: int
    length: int
    device: torch.device
    mask: Tensor | None = None
    """Boolean ``(B, S)``, true where a token is real; ``None`` where all are."""
    given: Tensor | None = None
    """``(B, S)``, where the tokens stand if the caller says so (``position_ids``); ``None`` where they are counted."""

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

    def at(self, positions: Tensor | None) -> "RealTokens":
        """These where a caller says that they stand, ``(S,)`` or ``(B|1, S)``; raises `InputError` for other shapes."""
        if positions is None:
            return self
        given = self.of_each(positions, "position_ids")
        # those of padding mean nothing, and need not be positions at all
        return replace(self, given=given if self.mask is None else given.masked_fill(~self.mask, 0))

    def of_each(self, numbers: Tensor, name: str) -> Tensor:
        """What is said of each token, ``(S,)`` or ``(B|1, S)`` -> ``(B, S)``; raises `InputError` for other shapes."""
        given = numbers[None] if numbers.dim() == 1 else numbers
        if given.shape not in ((1, self.length), (self.batch, self.length)):
            raise InputError(
                f"{name} of shape {tuple(numbers.shape)}: these tokens ask for ({self.batch}, {self.length})"
            )
        return given.expand(self.batch, -1)

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
        """``(B|1, S)``: as a caller says, else each counted in its row's real tokens: padding moves nothing."""
        if self.given is not None:
            return self.given
        if self.mask is None:
            return self.column_positions
        return (self.mask.long().cumsum(-1) - 1).clamp(min=0)

    @property
    def distances_by_column(self) -> bool:
        """Whether columns tell how far real tokens are from each other: no padding comes between them."""
        if self.given is not None:
            return False
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
        """Without padding, where that is known, worth it, and nobody asked for it, see `padded_layouts`."""
        mask = self.mask
        if mask is None or not can_read(mask) or not packs(mask.device.type, mask.numel()):
            return PADDED
        return Ragged(mask)

    def aligned(self) -> "tuple[Layout, RealTokens]":
        """A layout in which every row begins with its first real token, without gaps; and these in it, ``(B|1, L)``.

        For attention that counts by columns: what padding stands where changes nothing.
        """
        mask = self.mask
        if mask is None:
            return PADDED, self
        known = can_read(mask)
        layout = Aligned(mask) if known and packs(mask.device.type, mask.numel()) else Sorted(mask)
        inside = layout.aligned_mask
        given = None if self.given is None else self.given.gather(1, self.order_real_first()[:, : inside.shape[1]])
        whole = known and bool(inside.all())
        return layout, replace(self, length=inside.shape[1], mask=None if whole else inside, given=given)

    def order_real_first(self) -> Tensor:
        """``(B, S)``: the columns of each row, the real tokens and then padding, each in their order."""
        return true_first(self.dense_mask)

    def append(self, new: "RealTokens") -> "RealTokens":
        """These and, after them in every row, the ``new`` ones."""
        whole = self.mask is None and new.mask is None
        return replace(
            self,
            length=self.length + new.length,
            mask=None if whole else torch.cat((self.dense_mask, new.dense_mask), dim=1),
            given=self._positions_with(new),
        )

    @classmethod
    def joined(cls, parts: "Sequence[RealTokens]") -> "RealTokens":
        """The rows of all, in as many columns as the longest have."""
        length = max(each.length for each in parts)

        def side_by_side(each: "Iterable[Tensor]") -> Tensor:
            return torch.cat([F.pad(one, (0, length - one.shape[1])) for one in each])

        return cls(
            sum(each.batch for each in parts),
            length,
            parts[0].device,
            side_by_side(each.dense_mask for each in parts),
            side_by_side(each.positions.expand(each.batch, -1) for each in parts)
            if any(each.given is not None for each in parts)
            else None,
        )

    def append_real(self, count: int = 1) -> "RealTokens":
        """These and ``count`` more, all real."""
        return self.append(replace(self, length=count, mask=None, given=None))

    def select(self, rows: Tensor) -> "RealTokens":
        """Row ``i`` becomes what row ``rows[i]`` was."""
        return replace(self._taken(lambda each: each.index_select(0, rows)), batch=len(rows))

    def columns(self, start: int, stop: int) -> "RealTokens":
        """The tokens from column ``start`` to before ``stop``."""
        return replace(self._taken(lambda each: each[:, start:stop]), length=stop - start)

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
        trimmed = replace(self, mask=mask).columns(gone, self.length)
        return (replace(trimmed, mask=None) if bool(mask[:, gone:].all()) else trimmed), gone

    def kept(self, counts: Tensor, of: int) -> "RealTokens":
        """Without those of the last ``of`` columns that follow the first ``counts[i]`` in row ``i``."""
        fewest, most = int(counts.min()), int(counts.max())
        start = self.length - of
        if self.mask is None and fewest == most:
            return self.columns(0, start + most)
        mask = self.dense_mask.clone()
        mask[:, start:] &= torch.arange(of, device=self.device) < counts[:, None]
        return replace(self, mask=mask).columns(0, start + most)

    def order_real_last(self) -> Tensor:
        """``(B, S)``: the columns of each row, padding first and then the real tokens, each in their order."""
        return self.dense_mask.long().argsort(dim=1, stable=True)

    def gather(self, columns: Tensor) -> "RealTokens":
        """Row by row the tokens of these columns ``(B, N)``."""
        known = replace(self, mask=self.dense_mask)._taken(lambda each: each.gather(1, columns))
        return replace(known, length=columns.shape[1])

    def _taken(self, take: Callable[[Tensor], Tensor]) -> "RealTokens":
        """The same part of everything that is known of each."""
        mask, given = (None if each is None else take(each) for each in (self.mask, self.given))
        return replace(self, mask=mask, given=given)

    def _positions_with(self, new: "RealTokens") -> Tensor | None:
        """Where these and the ``new`` ones after them stand, if a caller says it of some: others are counted on."""
        if self.given is None and new.given is None:
            return None
        positions = new.positions
        if new.given is None:
            last = self.length - 1 - self.dense_mask.long().flip(1).argmax(dim=1, keepdim=True)  # (B, 1)
            positions = positions + self.positions.gather(1, last) + 1
        return torch.cat((self.positions.expand(self.batch, -1), positions.expand(self.batch, -1)), dim=1)
