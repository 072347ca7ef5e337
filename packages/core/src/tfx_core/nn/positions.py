"""Positions by distance or by rotation: parts that several families share."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tfx_core.nn.attention import Geometry


class Rotary(nn.Module):
    """Turns queries and keys by angles that grow with their positions (Su et al. 2021): a `PositionEncoding`.

    Of each head the first ``width`` numbers are turned, in pairs: a number and the one ``width / 2`` after it, or with
    ``neighbours`` the one next to it (the paper's own order). The angle of pair ``i`` grows by ``base ** (-2 i /
    width)`` with every position, or by what ``frequencies`` makes of these, float32 ``(width / 2,)`` both: that is how
    a model reads longer texts than it was first trained on (Chen et al. 2023).
    """

    def __init__(
        self,
        width: int,
        *,
        base: float = 10000.0,
        neighbours: bool = False,
        frequencies: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.width = width
        self.base = base
        self.neighbours = neighbours
        self.frequencies = frequencies

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, geometry: Geometry | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``(B, H, T, d)`` and keys ``(B, G, T, d)`` turned, values as they are."""
        assert geometry is not None
        positions = geometry.query_positions  # (B|1, T)
        exponents = torch.arange(0, self.width, 2, device=positions.device, dtype=torch.float32) / self.width
        frequencies = self.base**-exponents  # (width / 2,)
        frequencies = frequencies if self.frequencies is None else self.frequencies(frequencies)
        angles = positions[:, None, :, None] * frequencies  # (B|1, 1, T, width / 2)
        cos, sin = angles.cos().to(query.dtype), angles.sin().to(query.dtype)
        return self._turned(query, cos, sin), self._turned(key, cos, sin), value

    def _turned(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        dim, shape = (-1, (self.width // 2, 2)) if self.neighbours else (-2, (2, self.width // 2))
        one, other = x[..., : self.width].reshape(*x.shape[:-1], *shape).unbind(dim)  # (…, width / 2) each
        turned = torch.stack((one * cos - other * sin, other * cos + one * sin), dim=dim).flatten(-2)
        return turned if self.width == x.shape[-1] else torch.cat((turned, x[..., self.width :]), dim=-1)


class BucketedBias(nn.Module):
    """A bias for every head and distance, the same in all layers of a stack (T5: Raffel et al. 2020, §2.1).

    Half of the buckets are single distances, the others grow logarithmically up to ``max_distance``. An encoder
    (``bidirectional``) has half of its buckets for the keys after the query.
    """

    def __init__(self, buckets: int, max_distance: int, heads: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(buckets, heads)
        self.max_distance = max_distance
        self.bidirectional = bidirectional

    def forward(self, geometry: Geometry) -> Tensor:
        """Positions of queries ``(B|1, T)`` and keys ``(B|1, S)`` -> ``(B|1, H, T, S)``."""
        bias: Tensor = self.table(self.bucket(geometry.distances))  # (B|1, T, S, H)
        return bias.permute(0, 3, 1, 2)

    def bucket(self, distances: Tensor) -> Tensor:
        """Query position minus key position -> number of the bucket."""
        buckets = len(self.table.weight)
        if not self.bidirectional:
            return distance_buckets(distances, buckets, self.max_distance)
        after = (distances < 0).long() * (buckets // 2)
        return after + distance_buckets(distances.abs(), buckets // 2, self.max_distance)


def distance_buckets(distances: Tensor, buckets: int, max_distance: int) -> Tensor:
    """Distances -> numbers of so many buckets, half of them for single distances; one below 0 counts as 0."""
    exact, distances = buckets // 2, distances.clamp(min=0)
    # float32 on purpose: the released models' boundaries are those of its rounding
    ratio = (distances.clamp(min=1).float() / exact).log() / math.log(max_distance / exact)
    logarithmic = exact + (ratio * (buckets - exact)).long()
    return torch.where(distances < exact, distances, logarithmic.clamp(max=buckets - 1))
