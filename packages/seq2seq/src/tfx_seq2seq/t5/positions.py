"""T5's relative positions (Raffel et al. 2020, §2.1): distances in buckets, each with a learned bias per head."""

import math

import torch
from torch import Tensor, nn

from tfx_core.nn import Geometry


class BucketedBias(nn.Module):
    """A bias for every head and distance, the same in all layers of a stack.

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
        buckets = self.table.num_embeddings
        if not self.bidirectional:
            return self._one_sided(distances.clamp(min=0), buckets)
        after = (distances < 0).long() * (buckets // 2)
        return after + self._one_sided(distances.abs(), buckets // 2)

    def _one_sided(self, distances: Tensor, buckets: int) -> Tensor:
        exact = buckets // 2
        # float32 on purpose: the released models' boundaries are those of its rounding
        ratio = (distances.clamp(min=1).float() / exact).log() / math.log(self.max_distance / exact)
        logarithmic = exact + (ratio * (buckets - exact)).long()
        return torch.where(distances < exact, distances, logarithmic.clamp(max=buckets - 1))
