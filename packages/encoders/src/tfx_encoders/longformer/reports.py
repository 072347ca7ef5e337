"""What a call reports of attention, in the layout that the reference has for it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tfx_core.nn import PADDED, Layout, Observer, Window
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
        columns, kept = self._neighbours(weights)
        if self.places is not None:
            columns, kept = self._with_global(self.places, columns, kept)
        columns = columns[:, None].expand(len(weights), weights.shape[1], -1, -1)
        rows = _reported(self, weights.gather(-1, columns) * kept[:, None], self.layout)
        return torch.zeros_like(weights).scatter_add(-1, columns, rows)

    def _neighbours(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Columns ``(1, L, w + 1)``, and which of them are there."""
        reach, length = self.window.before or 0, weights.shape[-1]
        steps = torch.arange(-reach, reach + 1, device=weights.device) * self.window.dilation
        columns = torch.arange(length, device=weights.device)[:, None] + steps
        return columns.clamp(0, length - 1)[None], ((columns >= 0) & (columns < length))[None]

    @staticmethod
    def _with_global(places: GlobalPlaces, columns: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """The same ``(B, L, X + w + 1)`` behind the columns of global tokens."""
        rows, length = places.mask.shape
        neighbours = kept & ~places.mask[:, columns[0]]  # (B, L, w + 1)
        present = places.present[:, None].expand(-1, length, -1)
        columns = torch.cat((places.columns[:, None].expand(-1, length, -1), columns.expand(rows, -1, -1)), dim=-1)
        return columns, torch.cat((present, neighbours), dim=-1) & ~places.mask[..., None]


@dataclass
class GlobalObserver(Observer):
    """Reports what the global tokens of each row see."""

    places: GlobalPlaces = field(kw_only=True)
    layout: Layout = field(kw_only=True)

    def report(self, weights: Tensor) -> Tensor:
        """Record weights ``(B, H, X, L)`` as ``(B, H, S, X)``; what is given back is made of the record."""
        by_token = weights.transpose(2, 3) * self.places.present[:, None, None]
        return _reported(self, by_token, self.layout).transpose(2, 3)


def _reported(observer: Observer, weights: Tensor, layout: Layout) -> Tensor:
    """Record ``(B, H, L, N)`` in the text's order, ``(B, H, S, N)``, and give back the record in the layout's."""
    heads = weights.shape[1]
    in_text = PADDED.split(layout.unpack(layout.merge(weights)), heads)
    return layout.split(layout.pack(PADDED.merge(Observer.report(observer, in_text))), heads)
