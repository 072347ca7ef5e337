"""What a call reports of attention, in the layout that the reference has for it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tfx_core.nn import PADDED, Aligned, Layout, Observer, Sorted, Window
from tfx_encoders.longformer.attention import GlobalPlaces


@dataclass
class WindowObserver(Observer):
    """Reports of each token its weights of the row's ``X`` global tokens, then of itself amid ``w`` neighbours.

    A weight has one place: that of a global token is 0 among the neighbours. What global tokens see is a
    `GlobalObserver`'s to report: their own rows are 0.
    """

    window: Window = field(kw_only=True)
    places: GlobalPlaces | None = field(kw_only=True)
    layout: Layout = field(kw_only=True)

    def report(self, weights: Tensor) -> Tensor:
        """Record weights ``(B, H, L, L)`` as ``(B, H, S, X + w + 1)``; what is given back is made of the record."""
        columns, kept = self._neighbours(_real(self.layout, weights))
        if self.places is not None:
            columns, kept = self._with_global(self.places, columns, kept)
        columns = columns[:, None].expand(len(weights), weights.shape[1], -1, -1)
        rows = _reported(self, weights.gather(-1, columns), kept[:, None], self.layout)
        return torch.zeros_like(weights).scatter_add(-1, columns, rows)

    def _neighbours(self, real: Tensor) -> tuple[Tensor, Tensor]:
        """Columns ``(1, L, w + 1)``, and which of them are there, ``(B|1, L, w + 1)``."""
        reach, length = self.window.before or 0, real.shape[1]
        steps = torch.arange(-reach, reach + 1, device=real.device) * self.window.dilation
        columns = torch.arange(length, device=real.device)[:, None] + steps
        inside = columns.clamp(0, length - 1)
        return inside[None], (inside == columns) & real[:, inside] & real[..., None]

    @staticmethod
    def _with_global(places: GlobalPlaces, columns: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """The same ``(B, L, X + w + 1)`` behind the columns of global tokens."""
        rows, length = places.mask.shape
        chosen, present = (each[:, None].expand(-1, length, -1) for each in (places.columns, places.present))
        neighbours = kept & ~places.mask[:, columns[0]]
        columns = torch.cat((chosen, columns.expand(rows, -1, -1)), dim=-1)
        return columns, torch.cat((present, neighbours), dim=-1) & ~places.mask[..., None]


@dataclass
class GlobalObserver(Observer):
    """Reports what the global tokens of each row see."""

    places: GlobalPlaces = field(kw_only=True)
    layout: Layout = field(kw_only=True)

    @property
    def queries(self) -> Tensor:
        """Where the global tokens are, ``(B, X)``."""
        return self.places.columns

    def report(self, weights: Tensor) -> Tensor:
        """Record weights ``(B, H, X, L)`` as ``(B, H, S, X)``; what is given back is made of the record."""
        by_token = weights.transpose(2, 3)
        kept = _real(self.layout, by_token)[:, None, :, None] & self.places.present[:, None, None]
        return _reported(self, by_token, kept, self.layout).transpose(2, 3)


def _real(layout: Layout, weights: Tensor) -> Tensor:
    """Which columns are tokens, Boolean ``(B|1, L)``."""
    if isinstance(layout, Aligned | Sorted):
        return layout.aligned_mask
    return torch.ones(1, weights.shape[2], dtype=torch.bool, device=weights.device)


def _reported(observer: Observer, weights: Tensor, kept: Tensor, layout: Layout) -> Tensor:
    """Record ``(B, H, L, N)``, 0 but where ``kept``, in the text's order, and give the record back in the layout's."""
    heads = weights.shape[1]
    in_text = PADDED.split(layout.unpack(layout.merge(weights * kept)), heads)
    return layout.split(layout.pack(PADDED.merge(Observer.report(observer, in_text))), heads) * kept
