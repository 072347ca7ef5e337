"""Attention by relative positions and over a memory (Dai et al. 2019): what Transformer-XL and XLNet share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from tfx_core.nn.attention import Geometry
from tfx_core.nn.layers import LayerCall, StackCall
from tfx_core.nn.layout import PADDED
from tfx_core.nn.memory import Memory

_MORE_POSITIONS = 64


@dataclass(frozen=True)
class Distances:
    """Vectors for the distances from ``farthest`` down, ``count`` of them: sines, then cosines (§3.3)."""

    width: int
    clamp: int = 0
    """Distances beyond it are taken for equal; none if not positive."""

    def vectors(self, farthest: int, count: int, like: Tensor, *, step: int = 1, backward: bool = False) -> Tensor:
        """``(1, count, D)``, or ``(2, count, D)`` with those of a text read backwards as the second.

        Each distance is by ``step`` less than the one before.
        """
        end = farthest - count * step
        distances = torch.arange(farthest, end, -step, device=like.device, dtype=torch.float32)
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


class PositionTable:
    """The projected position keys of one layer, in a table that grows by a quarter as the text gets longer."""

    def __init__(self, distances: Distances, like: Tensor) -> None:
        self._distances = distances
        self._like = like
        self._ahead = 0
        self._behind = 0
        self._table: Tensor | None = None

    def rows(self, project: nn.Module, farthest: int, count: int) -> Tensor:
        """``(1, count, H·d)`` for the distances from ``farthest`` down."""
        if self._table is None or farthest > self._ahead or count - farthest > self._behind:
            self._ahead = farthest + max(_MORE_POSITIONS, farthest // 4)
            self._behind = max(self._behind, count - farthest + _MORE_POSITIONS)
            self._table = project(self._distances.vectors(self._ahead, self._ahead + self._behind, self._like))
        start = self._ahead - farthest
        return self._table[:, start : start + count]


@dataclass(frozen=True)
class TableRows:
    """The part of a `PositionTable` that one call needs."""

    table: PositionTable
    farthest: int
    count: int

    def projected(self, project: nn.Module) -> Tensor:
        """``(1, R, H·d)``."""
        return self.table.rows(project, self.farthest, self.count)


@dataclass(frozen=True, kw_only=True)
class RelativeGeometry(Geometry):
    """Where queries and keys stand to each other."""

    keys: PositionKeys
    """For the distances from ``S`` down, one more than there are keys, or as many more as the call needs."""

    places: Tensor | None = None
    """``(B|1, T, S)``, which position key belongs to each pair; ``None`` where the queries are the last of the keys."""

    step: int = 1
    """How many keys farther each query stands than the one before it."""

    second_segment: Tensor | None = None
    """Boolean ``(B|1, T, S)``, to which pairs the second of two segment keys belongs; ``None`` without segments."""


class RelativeBiases(nn.Module):
    """The parts of every query that do not depend on its token: one for the content of keys, one for their position."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.content = nn.Parameter(torch.empty(heads, width))
        self.position = nn.Parameter(torch.empty(heads, width))


class RelativePosition(nn.Module):
    """Scores of relative positions, next to those of the content: a `PositionSeam` (§3.3).

    Layers that share their biases are given the same ones.
    """

    def __init__(self, project: nn.Linear, biases: RelativeBiases) -> None:
        super().__init__()
        self.project = project
        self.biases = biases

    def forward(self, query: Tensor, key: Tensor, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``(B, H, T, d)`` with the content bias, keys unchanged, bias ``(B, H, T, S)``."""
        assert isinstance(geometry, RelativeGeometry)
        scores = self.scores(query, key, geometry)
        return query + self.biases.content[:, None], key, scores * query.shape[-1] ** -0.5

    def scores(self, query: Tensor, key: Tensor, geometry: RelativeGeometry) -> Tensor:
        """All that is added to those of the content, ``(B, H, T, S)``, not yet scaled."""
        return self.of_positions(query, key, geometry)

    def of_positions(self, query: Tensor, key: Tensor, geometry: RelativeGeometry) -> Tensor:
        """Of the position of each key to each query, ``(B, H, T, S)``, not yet scaled."""
        position_keys = PADDED.split(geometry.keys.projected(self.project), query.shape[1])  # (1|B, H, R, d)
        scores = (query + self.biases.position[:, None]) @ position_keys.transpose(-1, -2)  # (B, H, T, R)
        if geometry.places is None:
            return shifted(scores, key.shape[2], geometry.step)
        return scores.gather(-1, geometry.places[:, None].expand(*query.shape[:3], -1))


class SegmentPosition(RelativePosition):
    """Scores of relative positions and segments (Yang et al. 2019, §2.5), next to those of the content."""

    def __init__(self, project: nn.Linear, heads: int) -> None:
        width = project.out_features // heads
        super().__init__(project, RelativeBiases(heads, width))
        self.segment_bias = nn.Parameter(torch.empty(heads, width))
        self.segments = nn.Parameter(torch.empty(2, heads, width))
        """Keys of two kinds of pairs: of one segment and of different ones, in the order that checkpoints have."""

    def scores(self, query: Tensor, key: Tensor, geometry: RelativeGeometry) -> Tensor:
        """Of positions and, where there are any, segments, ``(B, H, T, S)``, not yet scaled."""
        scores = self.of_positions(query, key, geometry)
        if geometry.second_segment is None:
            return scores
        segment_keys = self.segments.permute(1, 2, 0)  # (H, d, 2)
        first, second = torch.split((query + self.segment_bias[:, None]) @ segment_keys, 1, dim=-1)  # (B, H, T, 1) each
        return scores + torch.where(geometry.second_segment[:, None], second, first)


def shifted(scores: Tensor, keys: int, step: int = 1) -> Tensor:
    """Scores by distance ``(B, H, T, R)``, from ``S`` down -> by key ``(B, H, T, S)``, for queries that are the last.

    Every query stands ``step`` further than the one before it, so the rows of the result begin as much earlier: a view
    (Dai et al. 2019, appendix B). Where a key follows the query by more than ``R`` allows, it holds another score.
    """
    queries, distances = scores.shape[-2:]
    rows = scores.flatten(-2)[..., step * queries :].view(*scores.shape[:-1], distances - step)
    return rows[..., :keys]


@dataclass(frozen=True, kw_only=True)
class RecurrentCall(StackCall):
    """The call of a stack with a memory, or with position keys of earlier calls, for each layer."""

    memory: Memory | None = None
    position_keys: Sequence[PositionKeys] | None = None

    def layer(self, step: int) -> LayerCall:
        """The call of the layer that runs as number ``step``; what it remembers is its ``source``."""
        layer, number = super().layer(step), self.first + step
        call = layer.self_attention
        if self.memory is not None:
            call = replace(call, source=self.memory.layers[number])
        if self.position_keys is not None:
            assert isinstance(call.geometry, RelativeGeometry)
            call = replace(call, geometry=replace(call.geometry, keys=self.position_keys[number]))
        return replace(layer, self_attention=call)
