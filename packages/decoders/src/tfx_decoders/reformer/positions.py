"""Axial positions: a text of half a million tokens has half a million places and a few hundred vectors."""

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn import Embeddings


class AxialPositions(nn.Module):
    """A place's vector is put together out of those of its place along each axis; places are numbered row by row.

    While training, all that stand at one place of the second axis are dropped together, in each text on its own, as in
    the released code (Kitaev et al. 2020). A text need not fill the axes.
    """

    def __init__(self, shape: Sequence[int], widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.steps = [prod(self.shape[axis:]) for axis in range(1, len(self.shape) + 1)]
        """How far apart the places are that follow each other along each axis."""
        self.axes = nn.ModuleList(nn.Embedding(*each) for each in zip(shape, widths, strict=True))
        self.dropout = dropout

    def forward(self, positions: Tensor) -> Tensor:
        """``(B, T) -> (B, T, D)``."""
        # torch.unravel_index would import the compiler
        places = [positions // step % size for step, size in zip(self.steps, self.shape, strict=True)]
        vectors = torch.cat([axis(place) for axis, place in zip(self.axes, places, strict=True)], dim=-1)
        if not self.training or not self.dropout:
            return vectors
        dropped = min(1, len(self.shape) - 1)
        kept = F.dropout(vectors.new_ones(len(positions), self.shape[dropped]), self.dropout)
        return vectors * kept.gather(1, places[dropped])[..., None]


class ReformerEmbeddings(Embeddings):
    """Token vectors are dropped out on their own, before those of their places are added."""

    def forward(self, tokens: Tensor, positions: Tensor, segments: Tensor | None = None) -> Tensor:
        """Ids ``(…)`` or vectors ``(…, D)``, and the vectors of their places ``(…, D)`` -> ``(…, D)``."""
        x = tokens if tokens.is_floating_point() else self.vectors(tokens)
        y: Tensor = self.dropout(self.add_segments(x, segments)) + positions
        return y


def build_positions(
    axes: Sequence[int] | None, widths: Sequence[int], longest: int, width: int, dropout: float
) -> nn.Module:
    """Axial positions, or without ``axes`` a table of ``longest``; ``(B, T) -> (B, T, D)``, dropped out."""
    if axes is not None:
        return AxialPositions(axes, widths, dropout)
    return nn.Sequential(nn.Embedding(longest, width), nn.Dropout(dropout))
