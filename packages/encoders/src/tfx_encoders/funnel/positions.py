"""Where states of one or several tokens stand to each other (Dai et al. 2020, appendix A.2)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn import Distances, FreshKeys, RelativeGeometry, SegmentPosition
from tfx_encoders.funnel.levels import Level

CLS_SEGMENT = 2
"""The segment of the first token, which is of the same one as any other."""


class FunnelPosition(SegmentPosition):
    """Scores of positions, by a key for each distance, and of segments; none for the ``apart`` first states."""

    def __init__(self, project: nn.Linear, heads: int, apart: int) -> None:
        super().__init__(project, heads)
        self.apart = apart

    def scores(self, query: Tensor, key: Tensor, geometry: RelativeGeometry) -> Tensor:
        """``(B, H, T, S)``, not yet scaled; the geometry is of those that do not stand apart."""
        scores = super().scores(query[:, :, self.apart :], key[:, :, self.apart :], geometry)
        return F.pad(scores, (self.apart, 0, self.apart, 0))


class FactorisedPosition(FunnelPosition):
    """The same numbers by the sines of both places, without one for each distance (appendix A.2.2)."""

    def of_positions(self, query: Tensor, key: Tensor, geometry: RelativeGeometry) -> Tensor:
        """``(B, H, T, S)``, not yet scaled."""
        assert isinstance(geometry.keys, FreshKeys)
        of_queries, of_keys = geometry.keys.vectors.tensor_split((query.shape[2],), dim=1)
        weight = self.project.weight.view(query.shape[1], query.shape[3], -1)  # (H, d, D)
        to_sines, to_cosines = ((query + self.biases.position[:, None]) @ weight).chunk(2, dim=-1)  # (B, H, T, D/2)
        sines, cosines = of_queries.chunk(2, dim=-1)
        key_sines, key_cosines = of_keys.transpose(-1, -2).chunk(2, dim=-2)
        # sin(t - s) and cos(t - s) by the addition theorems
        by_cosines: Tensor = (to_sines * sines + to_cosines * cosines) @ key_cosines
        return by_cosines + (to_cosines * sines - to_sines * cosines) @ key_sines


class Places(nn.Module):
    """Makes the geometry of states that read states: of the same level, or of the one below."""

    def __init__(self, width: int, dropout: float, apart: int, *, factorised: bool) -> None:
        super().__init__()
        self.distances = Distances(width)
        self.dropout = nn.Dropout(dropout)
        self.apart = apart
        self.factorised = factorised

    def forward(self, queries: Level, keys: Level, like: Tensor) -> RelativeGeometry:
        """Of ``T`` and ``S`` states without those that stand apart; position keys are of the type of ``like``."""
        step = queries.tokens // keys.tokens
        count, known = queries.real.length - self.apart, keys.real.length - self.apart
        vectors = self._of_places if self.factorised else self._of_distances
        return RelativeGeometry(
            query_positions=queries.real.column_positions,
            key_positions=keys.real.column_positions,
            keys=FreshKeys(vectors(count, known, step, keys.tokens, like)),
            step=step,
            second_segment=self._same_segment(queries, keys),
        )

    def _of_distances(self, queries: int, keys: int, step: int, tokens: int, like: Tensor) -> Tensor:
        """``(1, S + step · (T + 1), D)``, from ``step · T`` states down, each of so many tokens."""
        farthest = step * queries
        count = keys + farthest + step  # more than are read, for a text of the first token alone asks for none
        vectors: Tensor = self.dropout(self.distances.vectors(farthest * tokens, count, like, step=tokens))
        return vectors

    def _of_places(self, queries: int, keys: int, step: int, tokens: int, like: Tensor) -> Tensor:
        """``(1, T + S, D)``, of the places of the queries and then of the keys."""
        of_queries = self.dropout(self.distances.vectors(0, queries, like, step=-step * tokens))
        return torch.cat((of_queries, self.distances.vectors(0, keys, like, step=-tokens)), dim=1)

    def _same_segment(self, queries: Level, keys: Level) -> Tensor:
        """``(B|1, T, S)``."""
        of_queries, of_keys = queries.segments[:, self.apart :, None], keys.segments[:, None, self.apart :]
        return (of_queries == of_keys) | (of_queries == CLS_SEGMENT) | (of_keys == CLS_SEGMENT)
