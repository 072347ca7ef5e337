"""Multi-head attention out of parts: projections, positions, a kernel; and what a call hands to every layer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.nn.cache import NO_CACHE, LayerCache
from tfx_core.nn.kernels import AttentionKernel, sdpa
from tfx_core.nn.layout import PADDED, Layout


@dataclass(frozen=True)
class Geometry:
    """Where queries and keys stand; mechanisms that need more subclass it."""

    query_positions: Tensor
    """``(B|1, T)``, counted in real tokens."""
    key_positions: Tensor
    """``(B|1, S)``."""

    @property
    def distances(self) -> Tensor:
        """Query position minus key position, ``(B|1, T, S)``."""
        return self.query_positions[:, :, None] - self.key_positions[:, None, :]


@dataclass(frozen=True)
class AttentionCall:
    """What one attention layer is given besides its tokens."""

    kernel: AttentionKernel = sdpa
    mask: Tensor | None = None
    """Additive, broadcastable to ``(B, H, T, S)``."""
    geometry: Geometry | None = None
    """For position seams; absent where none is used."""
    source: Tensor | None = None
    """What is attended to if not the tokens themselves, packed by ``source_layout``."""
    layout: Layout = PADDED
    source_layout: Layout = PADDED
    cache: LayerCache = field(default=NO_CACHE)


class Projections(Protocol):
    """Makes queries, keys and values out of tokens."""

    def __call__(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of ``x``, keys and values of ``source``, or of ``x`` where that is ``None``; each ``(…, H·d)``."""
        ...

    def query(self, x: Tensor) -> Tensor:
        """Queries alone, for when keys and values are cached."""
        ...

    def keep_heads(self, heads: Sequence[int], width: int) -> None:
        """Remove all heads, each ``width`` wide, but these."""
        ...


class PositionSeam(Protocol):
    """Brings positions into attention."""

    def __call__(self, query: Tensor, key: Tensor, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries ``(B, H, T, d)`` and keys ``(B, H, S, d)``, changed or not, and a bias ``(B, H, T, S)`` if any."""
        ...


class NoPosition(nn.Module):
    """Positions came in with the embeddings, or in the mask."""

    def forward(self, query: Tensor, key: Tensor, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Everything unchanged, no bias."""
        return query, key, None


class FusedProjections(nn.Module):
    """Queries, keys and values of self-attention by one matrix; a memory as ``source`` uses its parts."""

    def __init__(self, hidden_size: int, width: int, *, bias: bool = True) -> None:
        super().__init__()
        self.qkv = nn.Linear(hidden_size, 3 * width, bias=bias)

    def forward(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """``(…, D) -> 3 × (…, H·d)``."""
        if source is None:
            query, key, value = self.qkv(x).chunk(3, dim=-1)
            return query, key, value
        width = self.qkv.out_features // 3
        key, value = _outputs(self.qkv, slice(width, None), source).chunk(2, dim=-1)
        return self.query(x), key, value

    def query(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, H·d)``."""
        return _outputs(self.qkv, slice(self.qkv.out_features // 3), x)

    def keep_heads(self, heads: Sequence[int], width: int) -> None:
        """Remove all heads but these from queries, keys and values."""
        self.qkv = _keep_outputs(self.qkv, _places(heads, width), parts=3)


class CrossProjections(nn.Module):
    """Queries of the tokens by one matrix, keys and values of the source by another."""

    def __init__(self, hidden_size: int, width: int, *, source_size: int | None = None, bias: bool = True) -> None:
        super().__init__()
        self.q = nn.Linear(hidden_size, width, bias=bias)
        self.kv = nn.Linear(hidden_size if source_size is None else source_size, 2 * width, bias=bias)

    def forward(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """``(…, T, D), (…, S, D_source) -> (…, T, H·d), 2 × (…, S, H·d)``."""
        key, value = self.kv(x if source is None else source).chunk(2, dim=-1)
        return self.q(x), key, value

    def query(self, x: Tensor) -> Tensor:
        """``(…, T, D) -> (…, T, H·d)``."""
        query: Tensor = self.q(x)
        return query

    def keep_heads(self, heads: Sequence[int], width: int) -> None:
        """Remove all heads but these from queries, keys and values."""
        self.q = _keep_outputs(self.q, _places(heads, width), parts=1)
        self.kv = _keep_outputs(self.kv, _places(heads, width), parts=2)


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, §3.2.2) from built parts.

    ``scale`` multiplies the scores, by default ``1/√d``; ``position`` is a `PositionSeam`; ``dropout`` drops attention
    weights while training.
    """

    def __init__(
        self,
        projections: nn.Module,
        out: nn.Linear,
        heads: int,
        *,
        position: nn.Module | None = None,
        scale: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.projections = projections
        self.out = out
        self.position = NoPosition() if position is None else position
        self.heads = heads
        self.scale = (out.in_features // heads) ** -0.5 if scale is None else scale
        self.dropout = dropout

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """``(B, T, D) -> (B, T, D)``, or whatever `Layout` the call has."""
        stored = call.cache.stored()
        if stored is None:
            query, key, value = self.projections(x, call.source)  # (…, H·d) each
            source_layout = call.layout if call.source is None else call.source_layout
            key, value = call.cache.append(
                source_layout.split(key, self.heads), source_layout.split(value, self.heads)
            )  # (B, H, S, d)
        else:
            query, (key, value) = self.projections.query(x), stored  # type: ignore[operator]  # see Projections
        query = call.layout.split(query, self.heads)  # (B, H, T, d)
        query, key, bias = self.position(query, key, call.geometry)
        mask = call.mask if bias is None else bias if call.mask is None else bias + call.mask
        dropout = self.dropout if self.training else 0.0
        context = call.kernel(query, key, value, mask, scale=self.scale, dropout=dropout)  # (B, H, T, d)
        out: Tensor = self.out(call.layout.merge(context))
        return out

    def keep_heads(self, heads: Sequence[int]) -> None:
        """Remove all heads but these, counted as they are now (head pruning, Michel et al. 2019)."""
        width = self.out.in_features // self.heads
        self.projections.keep_heads(heads, width)  # type: ignore[operator]  # see Projections
        self.out = _keep_inputs(self.out, _places(heads, width))
        self.heads = len(heads)


def _bias(linear: nn.Linear) -> Tensor | None:
    return linear.bias


def _outputs(linear: nn.Linear, part: slice, x: Tensor) -> Tensor:
    """Only these outputs of a layer."""
    bias = _bias(linear)
    return F.linear(x, linear.weight[part], None if bias is None else bias[part])


def _places(heads: Sequence[int], width: int) -> Tensor:
    return torch.tensor([head * width + place for head in heads for place in range(width)], dtype=torch.long)


def _keep_outputs(linear: nn.Linear, places: Tensor, parts: int) -> nn.Linear:
    """The layer with only these outputs of each of its ``parts``."""
    size = linear.out_features // parts
    rows = torch.cat([places + part * size for part in range(parts)]).to(linear.weight.device)
    bias = _bias(linear)
    return _linear(linear, linear.weight[rows], None if bias is None else bias[rows])


def _keep_inputs(linear: nn.Linear, places: Tensor) -> nn.Linear:
    return _linear(linear, linear.weight[:, places.to(linear.weight.device)], linear.bias)


def _linear(like: nn.Linear, weight: Tensor, bias: Tensor | None) -> nn.Linear:
    out_features, in_features = weight.shape
    new = nn.Linear(in_features, out_features, bias=bias is not None, device="meta")
    new.weight = nn.Parameter(weight.detach().clone(), requires_grad=like.weight.requires_grad)
    if bias is not None:
        new.bias = nn.Parameter(bias.detach().clone(), requires_grad=like.bias.requires_grad)
    return new
