"""Vectors and probabilities of a vocabulary in clusters, rarer words with narrower vectors.

Adaptive input representations (Baevski and Auli 2019) and the adaptive softmax (Grave et al. 2017).
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn import check_device, check_ids, look_up


class AdaptiveEmbeddings(nn.Module):
    """Word vectors from one table, or from one for each cluster, projected to one width and scaled."""

    def __init__(self, tables: Iterable[nn.Embedding], projections: Iterable[nn.Module], scale: float) -> None:
        super().__init__()
        self.tables = nn.ModuleList(tables)
        self.projections = nn.ModuleList(projections)
        self.scale = scale

    def forward(self, ids: Tensor) -> Tensor:
        """``(B, T) -> (B, T, D)``; raises `InputError` for an id that no table has."""
        tables: list[nn.Embedding] = list(self.tables)  # type: ignore[arg-type]
        if len(tables) == 1:
            return self._projected(0, look_up(tables[0], ids, "input_ids")) * self.scale
        check_device(tables[0].weight, ids, "input_ids")
        check_ids(ids, sum(len(table.weight) for table in tables), "input_ids")
        flat, begin = ids.flatten(), 0
        x: Tensor | None = None  # (B·T, D)
        for cluster, table in enumerate(tables):
            end = begin + len(table.weight)
            places = ((flat >= begin) & (flat < end)).nonzero()[:, 0]
            vectors = self._projected(cluster, table(flat[places] - begin))  # (n, D)
            x = vectors.new_zeros(len(flat), vectors.shape[-1]) if x is None else x
            x = x.index_copy(0, places, vectors)
            begin = end
        assert x is not None
        return x.view(*ids.shape, -1) * self.scale

    def _projected(self, cluster: int, vectors: Tensor) -> Tensor:
        projected: Tensor = self.projections[cluster](vectors)
        return projected


class Reduction(nn.Module):
    """States to the width of a cluster's vectors: the projection of the embeddings, backwards."""

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, narrow))

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, narrow)``."""
        return x @ self.weight


class NoClusters(nn.Module):
    """Stands where all words are in the first cluster."""

    def forward(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, 0)``."""
        return x[..., :0]


class AdaptiveSoftmax(nn.Module):
    """Logarithms of the words' probabilities: of the frequent ones and of the clusters, and within each cluster.

    ``ends`` are the ids at which the clusters end. ``decoders`` are one for all words or one for each cluster;
    ``clusters`` scores the clusters but the first.
    """

    def __init__(
        self, ends: Sequence[int], reductions: Iterable[nn.Module], decoders: Iterable[nn.Linear], clusters: nn.Module
    ) -> None:
        super().__init__()
        self.ends = tuple(ends)
        self.reductions = nn.ModuleList(reductions)
        self.decoders = nn.ModuleList(decoders)
        self.clusters = clusters

    def forward(self, x: Tensor) -> Tensor:
        """States ``(…, D)`` -> log-probabilities of all words ``(…, V)``."""
        frequent = self.ends[0]
        first = self._first(x).log_softmax(dim=-1)
        parts = [first[..., :frequent]]
        for cluster in range(1, len(self.ends)):
            within = self._within(cluster, x).log_softmax(dim=-1)
            parts.append(within + first[..., frequent + cluster - 1, None])
        return torch.cat(parts, dim=-1)

    def losses(self, x: Tensor, labels: Tensor) -> Tensor:
        """Minus the log-probability ``(N,)`` of one word for each state: ``(N, D)`` and ``(N,)``.

        A cluster's scores are computed for its own words alone. Raises `InputError` for a label that is no word.
        """
        frequent, vocabulary = self.ends[0], self.ends[-1]
        check_ids(labels, vocabulary, "labels")
        cluster = torch.bucketize(labels, torch.tensor(self.ends[:-1], device=labels.device), right=True)  # (N,)
        first = torch.where(cluster == 0, labels, frequent + cluster - 1)
        losses = F.cross_entropy(self._first(x).float(), first, reduction="none")
        for number in range(1, len(self.ends)):
            places = (cluster == number).nonzero()[:, 0]
            within = self._within(number, x[places]).float()
            targets = labels[places] - self.ends[number - 1]
            losses = losses.index_add(0, places, F.cross_entropy(within, targets, reduction="none"))
        return losses

    def _first(self, x: Tensor) -> Tensor:
        """Scores of the frequent words and of the clusters, ``(…, frequent + clusters)``."""
        reduced = self.reductions[0](x)
        return torch.cat((self._decoded(0, reduced), self.clusters(reduced)), dim=-1)

    def _within(self, cluster: int, x: Tensor) -> Tensor:
        """Scores of one cluster's words."""
        return self._decoded(cluster, self.reductions[cluster](x))

    def _decoded(self, cluster: int, reduced: Tensor) -> Tensor:
        if len(self.decoders) > 1:
            scores: Tensor = self.decoders[cluster](reduced)
            return scores
        decoder, words = self.decoders[0], slice((0, *self.ends)[cluster], self.ends[cluster])
        if not isinstance(decoder, nn.Linear):  # what an adapter computes only it knows
            scores = decoder(reduced)[..., words]
            return scores
        return F.linear(reduced, decoder.weight[words], decoder.bias[words])
