"""Relative positions (Dai et al. 2019, §3.3) and relative segments (Yang et al. 2019, §2.5)."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from tfx_core.nn import PADDED, Geometry


@dataclass(frozen=True)
class Distances:
    """Vectors for the distances from ``farthest`` down, ``count`` of them: sines, then cosines."""

    width: int
    clamp: int
    """Distances beyond it are taken for equal; none if not positive."""

    def vectors(self, farthest: int, count: int, like: Tensor, *, backward: bool = False) -> Tensor:
        """``(1, count, D)``, or ``(2, count, D)`` with those of a text read backwards as the second."""
        distances = torch.arange(farthest, farthest - count, -1, device=like.device, dtype=torch.float32)
        directions = torch.stack((distances, -distances)) if backward else distances[None]
        if self.clamp > 0:
            directions = directions.clamp(-self.clamp, self.clamp)
        exponents = torch.arange(0, self.width, 2, device=like.device, dtype=torch.float32) / self.width
        angles = directions[..., None] / 10000**exponents  # (1|2, count, D/2)
        return torch.cat((angles.sin(), angles.cos()), dim=-1).to(like.dtype)


class PositionKeys(Protocol):
    """The keys of one layer's relative positions."""

    def projected(self, project: nn.Module) -> Tensor:
        """``(1|B, R, H·d)`` for the ``R`` distances of a call, the farthest first."""
        ...


@dataclass(frozen=True)
class FreshKeys:
    """Position keys projected in every call."""

    vectors: Tensor
    """``(1|2, R, D)``."""

    rows: Tensor | None = None
    """``(B,)``, which of the two directions each row reads in."""

    def projected(self, project: nn.Module) -> Tensor:
        """``(1|B, R, H·d)``."""
        keys: Tensor = project(self.vectors)
        return keys if self.rows is None else keys.index_select(0, self.rows)


@dataclass(frozen=True)
class RelativeGeometry(Geometry):
    """Where queries and keys stand to each other; the first ``content`` queries are those of the content stream."""

    content: int
    farthest: int
    """The greatest distance of the position keys."""

    places: Tensor
    """``(B|1, T, S)``, which position key belongs to each pair."""

    keys: PositionKeys
    other_segment: Tensor | None
    """Boolean ``(B, T, S)``, whether the two belong to different segments; ``None`` where there are none."""


class RelativePosition(nn.Module):
    """Scores of relative positions and segments, next to those of the content: a `PositionSeam`.

    The three biases stand for parts of the query that do not depend on the token.
    """

    def __init__(self, project: nn.Linear, heads: int) -> None:
        super().__init__()
        self.project = project
        width = project.out_features // heads
        self.content_bias = nn.Parameter(torch.empty(heads, width))
        self.position_bias = nn.Parameter(torch.empty(heads, width))
        self.segment_bias = nn.Parameter(torch.empty(heads, width))
        self.segments = nn.Parameter(torch.empty(2, heads, width))
        """Keys for the same segment and for another one."""

    def forward(self, query: Tensor, key: Tensor, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``(B, H, T, d)`` with the content bias, keys unchanged, bias ``(B, H, T, S)``."""
        assert isinstance(geometry, RelativeGeometry)
        heads, width = self.content_bias.shape
        position_keys = PADDED.split(geometry.keys.projected(self.project), heads)  # (1|B, H, R, d)
        scores = (query + self.position_bias[:, None]) @ position_keys.transpose(-1, -2)  # (B, H, T, R)
        pairs = geometry.places[:, None].expand(*query.shape[:3], -1)
        bias = scores.gather(-1, pairs)  # (B, H, T, S)
        if geometry.other_segment is not None:
            segment_keys = self.segments.permute(1, 2, 0)  # (H, d, 2)
            same, other = torch.split(
                (query + self.segment_bias[:, None]) @ segment_keys, 1, dim=-1
            )  # (B, H, T, 1) each
            bias = bias + torch.where(geometry.other_segment[:, None], other, same)
        return query + self.content_bias[:, None], key, bias * width**-0.5
