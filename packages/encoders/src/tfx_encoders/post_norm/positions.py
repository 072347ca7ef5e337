"""Relative positions of ``position_embedding_type``: terms of attention that depend on the distance."""

from torch import Tensor, nn

from tfx_core.nn import Geometry


class RelativeKey(nn.Module):
    """Adds ``q·r`` to the scores, where ``r`` belongs to the distance from key to query (Shaw et al. 2018).

    It is multiplied by ``scale``, by default ``1/√width`` as the scores are.
    """

    def __init__(self, max_positions: int, width: int, scale: float | None = None) -> None:
        super().__init__()
        self.distances = nn.Embedding(2 * max_positions - 1, width)
        self.max_positions = max_positions
        self.scale = width**-0.5 if scale is None else scale

    def forward(self, query: Tensor, key: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries ``(B, H, T, d)``, keys ``(B, H, S, d)`` -> the same with a bias ``(B, H, T, S)``."""
        return query, key, self._by_query(query, self._relations(geometry)) * self.scale

    def _relations(self, geometry: Geometry) -> Tensor:
        relations: Tensor = self.distances(geometry.distances + self.max_positions - 1)  # (B|1, T, S, d)
        return relations

    @staticmethod
    def _by_query(query: Tensor, relations: Tensor) -> Tensor:
        # (B, T, H, d) @ (B, T, d, S) -> (B, T, H, S) -> (B, H, T, S)
        return (query.transpose(1, 2) @ relations.transpose(-1, -2)).transpose(1, 2)


class RelativeKeyQuery(RelativeKey):
    """Adds ``q·r + k·r`` to the scores (Huang et al. 2020, method 4)."""

    def forward(self, query: Tensor, key: Tensor, geometry: Geometry) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries ``(B, H, T, d)``, keys ``(B, H, S, d)`` -> the same with a bias ``(B, H, T, S)``."""
        relations = self._relations(geometry)
        by_query = self._by_query(query, relations)
        by_key = self._by_query(key, relations.transpose(1, 2)).transpose(-1, -2)
        return query, key, (by_query + by_key) * self.scale
