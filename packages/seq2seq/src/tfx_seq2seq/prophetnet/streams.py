"""ProphetNet's streams: one reads the target, the others predict it from ever farther away (Qi et al. 2020, §2.2).

They go through the layers as one tensor, the main stream first. Only the main stream is attended to, but for each
predicting state by itself; so nobody needs the predicting states of earlier places, and a cache does not keep them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn import (
    PADDED,
    Attention,
    AttentionCall,
    Bias,
    DenseBias,
    Geometry,
    Layout,
    Mask,
    Observer,
    Projections,
    Scores,
    SelfAttentionCache,
    StreamObserver,
    StreamRecorder,
    distance_buckets,
    terms_of,
    together,
)


class Streams:
    """The layout of ``1 + n`` streams of ``T`` tokens each, ``(B, (1 + n)·T, …)``; each is packed as in ``layout``."""

    def __init__(self, layout: Layout, predicting: int) -> None:
        self.layout = layout
        self.count = 1 + predicting

    def join(self, streams: Sequence[Tensor]) -> Tensor:
        """Packed streams as one."""
        return torch.cat(list(streams), dim=1 if self.layout is PADDED else 0)

    def pack(self, x: Tensor) -> Tensor:
        """``(B, (1 + n)·T, …)`` as the modules between the kernels see it."""
        if self.layout is PADDED:
            return x
        return self.join([self.layout.pack(each) for each in x.chunk(self.count, dim=1)])

    def unpack(self, x: Tensor) -> Tensor:
        """The inverse of `pack`: ``(B, (1 + n)·T, …)``."""
        if self.layout is PADDED:
            return x
        return torch.cat([self.layout.unpack(each) for each in x.chunk(self.count)], dim=1)

    def split(self, x: Tensor, heads: int) -> Tensor:
        """Packed tokens of width ``H·d`` -> ``(B, H, (1 + n)·T, d)``."""
        return PADDED.split(self.unpack(x), heads)

    def merge(self, x: Tensor) -> Tensor:
        """``(B, H, (1 + n)·T, d)`` -> packed tokens of width ``H·d``."""
        return self.pack(PADDED.merge(x))


@dataclass(frozen=True, kw_only=True)
class StreamGeometry(Geometry):
    """Where the main stream's queries and keys stand, and in which bucket each pair of all streams is."""

    predicting: int
    """``n``."""

    buckets: Tensor
    """``(B|1, (1 + n)·T, S + n·T)``; a predicting state stands one place after its token, in its own key's, too."""

    @classmethod
    def of(cls, main: Geometry, predicting: int, buckets: int, max_distance: int) -> "StreamGeometry":
        """Of ``n`` predicting streams beside the main one."""
        distances = main.distances  # (B|1, T, S)
        all_streams = torch.cat((distances, *[distances + 1] * predicting), dim=1)
        all_keys = F.pad(all_streams, (0, predicting * distances.shape[1]))
        return cls(
            main.query_positions,
            main.key_positions,
            predicting=predicting,
            buckets=distance_buckets(all_keys, buckets, max_distance),
        )


@dataclass(eq=False)
class StreamMask(Mask):
    """What the streams see: of the main one what ``main`` lets its tokens see, of the others each state itself.

    The first predicting stream sees as much as the main one, the next a token less, and so on; a text's first token all
    of them see.
    """

    main: Bias | None
    """Masks of ``T`` queries and ``S`` keys."""
    geometry: StreamGeometry

    def allowed(self, scores: Scores) -> Tensor:
        """Boolean ``(B|1, 1, (1 + n)·T, S + n·T)``."""
        count = self.geometry.predicting
        length = scores.queries // (1 + count)
        main = self._main(scores._replace(queries=length, keys=scores.keys - count * length))
        seen = [main & self._behind(stream) for stream in range(count)]  # (B|1, 1, T, S) each
        of_main = torch.cat((main.expand_as(seen[0]), *seen), dim=2)
        itself = F.pad(torch.eye(count * length, dtype=torch.bool, device=scores.device), (0, 0, length, 0))
        return torch.cat((of_main, itself.expand(*of_main.shape[:2], -1, -1)), dim=3)

    def _main(self, scores: Scores) -> Tensor:
        everything = torch.ones(1, 1, scores.queries, scores.keys, dtype=torch.bool, device=scores.device)
        masks = () if self.main is None else terms_of(self.main)
        assert all(isinstance(mask, Mask) for mask in masks)
        return reduce(torch.logical_and, (mask.allowed(scores) for mask in masks if isinstance(mask, Mask)), everything)

    def _behind(self, stream: int) -> Tensor:
        """Which keys are so many places behind a query, or a text's first, ``(B|1, 1, T, S)``."""
        return ((self.geometry.distances >= stream) | (self.geometry.key_positions == 0)[:, None])[:, None]


class StreamAttention(Attention):
    """Self-attention of all streams, with a bias of distances that each state makes for itself (§2.3)."""

    def __init__(
        self, projections: Projections, out: nn.Linear, heads: int, *, distances: nn.Linear, dropout: float
    ) -> None:
        super().__init__(projections, out, heads, dropout=dropout)
        self.distances = distances

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """Packed streams ``(…, D) -> (…, D)``."""
        return super().forward(x, replace(call, bias=together((call.bias, DenseBias(self.bias(x, call))))))

    def bias(self, x: Tensor, call: AttentionCall) -> Tensor:
        """``(B, H, (1 + n)·T, S + n·T)``: of each state's number for a bucket that of each key's."""
        assert isinstance(call.geometry, StreamGeometry)
        numbers = call.layout.unpack(self.distances(x))  # (B, (1 + n)·T, buckets·H)
        numbers = numbers.view(*numbers.shape[:2], -1, self.heads).permute(0, 3, 1, 2)
        return numbers.gather(-1, call.geometry.buckets[:, None].expand(*numbers.shape[:3], -1))

    def project(self, x: Tensor, call: AttentionCall) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of all streams; keys and values of all, of which a cache keeps the main one's."""
        query, key, value = super().project(x, call)
        if isinstance(call.cache, SelfAttentionCache):
            assert isinstance(call.geometry, StreamGeometry)
            call.cache.crop(call.geometry.key_positions.shape[1])
        return query, key, value


@dataclass
class NgramObserver(StreamObserver):
    """Reports the weights of the main stream ``(B, H, T, S)``, and those of the others ``(B, n, H, T, S + T)``."""

    def report(self, weights: Tensor) -> Tensor:
        """``(B, H, (1 + n)·T, S + n·T)``, put together out of what was reported."""
        length, count = self.content, weights.shape[2] // self.content - 1
        keys = weights.shape[3] - count * length
        main = self._reported(weights[:, :, :length, :keys])
        of_streams = weights[:, :, length:].reshape(*weights.shape[:2], count, length, -1)  # (B, H, n, T, S + n·T)
        own = of_streams[..., keys:].reshape(*of_streams.shape[:4], count, length).diagonal(dim1=2, dim2=4)
        each = torch.cat((of_streams[..., :keys], own.movedim(-1, 2)), dim=-1)  # (B, H, n, T, S + T)
        each = self._reported(each.transpose(1, 2)).transpose(1, 2)
        own = each[..., keys:].movedim(2, -1).diag_embed(dim1=2, dim2=4).flatten(-2)  # (B, H, n, T, n·T)
        streams = torch.cat((each[..., :keys], own), dim=-1).flatten(2, 3)
        return torch.cat((F.pad(main, (0, count * length)), streams), dim=2)

    def _reported(self, weights: Tensor) -> Tensor:
        assert self.record is not None
        self.record.append(weights)
        return weights


@dataclass
class NgramRecorder(StreamRecorder):
    """Reports the main stream, and the predicting ones together."""

    def observer(self, layer: int) -> Observer | None:
        """Of the self-attention of the layer that runs as number ``layer``."""
        plain = super().observer(layer)
        return None if plain is None else NgramObserver(plain.record, plain.head_mask, content=self.content or 0)

    def reports(self) -> dict[str, tuple[Tensor, ...]]:
        """What was asked for, by the names that outputs give it."""
        found = super().reports()
        for name, other in (("hidden_states", "hidden_states_ngram"), ("attentions", "ngram_attentions")):
            if name in found:
                found[name], found[other] = found[name][::2], found[name][1::2]
        return found
