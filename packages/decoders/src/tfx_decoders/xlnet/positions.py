"""Relative segments (Yang et al. 2019, §2.5), beside the relative positions of Transformer-XL."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tfx_core.nn import Geometry, RelativeBiases, RelativeGeometry, RelativePosition


@dataclass(frozen=True, kw_only=True)
class StreamGeometry(RelativeGeometry):
    """Where queries and keys stand to each other; the first ``content`` queries are those of the content stream."""

    content: int
    other_segment: Tensor | None
    """Boolean ``(B, T, S)``, whether the two belong to different segments; ``None`` where there are none."""


class SegmentPosition(RelativePosition):
    """Scores of relative positions and segments, next to those of the content: a `PositionSeam`."""

    def __init__(self, project: nn.Linear, heads: int) -> None:
        width = project.out_features // heads
        super().__init__(project, RelativeBiases(heads, width))
        self.segment_bias = nn.Parameter(torch.empty(heads, width))
        self.segments = nn.Parameter(torch.empty(2, heads, width))
        """Keys for the same segment and for another one."""

    def forward(self, query: Tensor, key: Tensor, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``(B, H, T, d)`` with the content bias, keys unchanged, bias ``(B, H, T, S)``."""
        assert isinstance(geometry, StreamGeometry)
        scores = self.scores(query, key, geometry)
        if geometry.other_segment is not None:
            segment_keys = self.segments.permute(1, 2, 0)  # (H, d, 2)
            same, other = torch.split(
                (query + self.segment_bias[:, None]) @ segment_keys, 1, dim=-1
            )  # (B, H, T, 1) each
            scores = scores + torch.where(geometry.other_segment[:, None], other, same)
        return query + self.biases.content[:, None], key, scores * query.shape[-1] ** -0.5
