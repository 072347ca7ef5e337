"""Multi-head attention in three steps, each a seam: project, attend, merge; and what a call hands to every layer."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn.bias import Bias, DenseBias, Sum
from tfx_core.nn.cache import NO_CACHE, AttentionCache
from tfx_core.nn.kernels import AttentionKernel, sdpa
from tfx_core.nn.layout import PADDED, Layout
from tfx_core.nn.observer import Observer
from tfx_core.nn.split import linear_of


@dataclass(frozen=True)
class Geometry:
    """Where queries and keys stand; mechanisms that need more subclass it."""

    query_positions: Tensor
    """``(B|1, T)``: as the caller says (``position_ids``), else counted in real tokens."""
    key_positions: Tensor
    """``(B|1, S)``."""

    @property
    def distances(self) -> Tensor:
        """Query position minus key position, ``(B|1, T, S)``."""
        return self.query_positions[:, :, None] - self.key_positions[:, None, :]


@dataclass(frozen=True)
class AttentionCall:
    """What one attention layer is given besides its tokens; mechanisms that need more subclass it."""

    kernel: AttentionKernel = sdpa
    bias: Bias | None = None
    """What is added to the scores of all layers, masks included."""
    geometry: Geometry | None = None
    """For positions; absent where none are used."""
    source: Tensor | None = None
    """What is attended to if not the tokens themselves, packed by ``source_layout``."""
    # made in the call: a compiler cannot tell where a default that is an object comes from
    layout: Layout = field(default_factory=lambda: PADDED)
    source_layout: Layout = field(default_factory=lambda: PADDED)
    cache: AttentionCache = field(default_factory=lambda: NO_CACHE)
    observer: Observer | None = None
    """Is shown the weights and may change them."""


class Projections(nn.Module):
    """Makes queries, keys and values out of tokens."""

    queries_per_key: int = 1
    """How many heads of queries each head of keys and values serves (grouped-query attention, Ainslie et al. 2023)."""

    @abstractmethod
    def forward(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of ``x``, ``(…, H·d)``; keys and values, ``(…, G·d)``, of ``source``, or of ``x`` without one."""

    @abstractmethod
    def query(self, x: Tensor) -> Tensor:
        """Queries alone, for when keys and values are cached."""

    def keep_heads(self, heads: Sequence[int], width: int) -> None:
        """Remove all heads, each ``width`` wide, but these; raises `InputError` where that is not possible."""
        raise InputError(f"prune_heads: {type(self).__name__} cannot remove heads")


class PositionEncoding(Protocol):
    """Brings positions into new queries, keys and values, before a cache keeps them (rotary positions)."""

    def __call__(
        self, query: Tensor, key: Tensor, value: Tensor, geometry: Geometry | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``(B, H, T, d)``, keys and values ``(B, G, T, d)`` of this call's tokens, changed or not."""
        ...


class PositionSeam(Protocol):
    """Brings positions into the scores, of all keys, those that were cached included."""

    def __call__(self, query: Tensor, key: Tensor, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries ``(B, H, T, d)`` and keys ``(B, G, S, d)``, changed or not, and a bias ``(B, H, T, S)`` if any."""
        ...


class NoPositionEncoding(nn.Module):
    """Queries, keys and values do not depend on positions."""

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, geometry: Geometry | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Everything unchanged."""
        return query, key, value


class NoPositionBias(nn.Module):
    """Positions came in with the embeddings, the encoding or the bias."""

    def forward(self, query: Tensor, key: Tensor, geometry: Geometry | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Everything unchanged, no bias."""
        return query, key, None


class FusedProjections(Projections):
    """Queries, keys and values of self-attention by one matrix; a memory as ``source`` uses its parts."""

    def __init__(self, hidden_size: int, width: int, *, queries_per_key: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.queries_per_key = queries_per_key
        self.qkv = nn.Linear(hidden_size, width + 2 * (width // queries_per_key), bias=bias)

    def forward(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """``(…, D) -> (…, H·d), 2 × (…, G·d)``."""
        if source is None:
            outputs = self.qkv(x)  # of which alone the sizes are known: an adapter may stand for the matrix
            query, both = outputs.tensor_split((self._of_queries(outputs.shape[-1]),), dim=-1)
        else:
            width = self._of_queries(self.qkv.out_features)
            query, both = self.query(x), _outputs(self.qkv, slice(width, None), source)
        key, value = both.chunk(2, dim=-1)
        return query, key, value

    def query(self, x: Tensor) -> Tensor:
        """``(…, D) -> (…, H·d)``."""
        return _outputs(self.qkv, slice(self._of_queries(self.qkv.out_features)), x)

    def keep_heads(self, heads: Sequence[int], width: int) -> None:
        """Remove all heads but these from queries, keys and values."""
        if self.queries_per_key > 1:
            raise InputError("prune_heads: heads that share their keys cannot be removed one by one")
        self.qkv = _keep_outputs(self.qkv, _places(heads, width), parts=3)

    def _of_queries(self, outputs: int) -> int:
        """How many of all outputs are queries, ``H·d``."""
        return outputs // (self.queries_per_key + 2) * self.queries_per_key


class CrossProjections(Projections):
    """Queries of the tokens by one matrix, keys and values of the source, or of the tokens, by another.

    ``query_bias`` is ``bias`` unless it is given.
    """

    def __init__(
        self,
        hidden_size: int,
        width: int,
        *,
        source_size: int | None = None,
        bias: bool = True,
        query_bias: bool | None = None,
    ) -> None:
        super().__init__()
        self.source_size = hidden_size if source_size is None else source_size
        self.queries = nn.Linear(hidden_size, width, bias=bias if query_bias is None else query_bias)
        self.keys_values = nn.Linear(self.source_size, 2 * width, bias=bias)

    def forward(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """``(…, T, D), (…, S, D_source) -> (…, T, H·d), 2 × (…, S, H·d)``; `InputError` for another width."""
        if source is not None and source.shape[-1] != self.source_size:
            raise InputError(
                f"encoder_hidden_states of shape {tuple(source.shape)}: must be states (batch, tokens, "
                f"{self.source_size})"
            )
        key, value = self.keys_values(x if source is None else source).chunk(2, dim=-1)
        return self.queries(x), key, value

    def query(self, x: Tensor) -> Tensor:
        """``(…, T, D) -> (…, T, H·d)``."""
        query: Tensor = self.queries(x)
        return query

    def keep_heads(self, heads: Sequence[int], width: int) -> None:
        """Remove all heads but these from queries, keys and values."""
        self.queries = _keep_outputs(self.queries, _places(heads, width), parts=1)
        self.keys_values = _keep_outputs(self.keys_values, _places(heads, width), parts=2)


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, §3.2.2) from built parts: ``merge(attend(project(x)))``.

    ``encoding`` is a `PositionEncoding`, ``position`` a `PositionSeam`. ``scale`` multiplies the scores, by default
    ``1/√d``; ``dropout`` drops attention weights while training. A mechanism of another kind overrides one of the three
    steps.
    """

    def __init__(
        self,
        projections: Projections,
        out: nn.Linear,
        heads: int,
        *,
        encoding: nn.Module | None = None,
        position: nn.Module | None = None,
        scale: float | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.projections = projections
        self.out = out
        self.encoding = NoPositionEncoding() if encoding is None else encoding
        self.position = NoPositionBias() if position is None else position
        self.heads = heads
        self.scale = (out.in_features // heads) ** -0.5 if scale is None else scale
        self.dropout = dropout

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """``(B, T, D) -> (B, T, D)``, or whatever `Layout` the call has."""
        return self.merge(self.attend(*self.project(x, call), call), call)

    def project(self, x: Tensor, call: AttentionCall) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens ``(B, T, D)`` -> queries ``(B, H, T, d)``, all keys and values ``(B, G, S, d)``, cached ones too."""
        stored = call.cache.stored()
        if stored is not None:
            return call.layout.split(self.projections.query(x), self.heads), *stored
        query, key, value = self.projections(x, call.source)
        source_layout = call.layout if call.source is None else call.source_layout
        query = call.layout.split(query, self.heads)
        key_heads = self.heads // self.projections.queries_per_key
        key, value = source_layout.split(key, key_heads), source_layout.split(value, key_heads)
        query, key, value = self.encoding(query, key, value, call.geometry)
        return query, *call.cache.append(key, value)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, call: AttentionCall) -> Tensor:
        """Queries ``(B, H, T, d)``, keys and values ``(B, G, S, d)`` -> ``(B, H, T, d)``."""
        query, key, of_positions = self.position(query, key, call.geometry)
        context = call.kernel(
            query,
            key,
            value,
            _with_numbers(call.bias, of_positions),
            scale=self.scale,
            dropout=self.dropout if self.training else 0.0,
            observer=call.observer,
        )
        if call.observer is not None and not call.observer.used:
            raise InputError(
                "output_attentions, head_mask: this attention kernel shows its weights to nobody; load the model with "
                "attention='eager'"
            )
        return context

    def merge(self, context: Tensor, call: AttentionCall) -> Tensor:
        """``(B, H, T, d) -> (B, T, D)``."""
        out: Tensor = self.out(call.layout.merge(context))
        return out

    def keep_heads(self, heads: Sequence[int]) -> None:
        """Remove all heads but these, counted as they are now (head pruning, Michel et al. 2019)."""
        width = self.out.in_features // self.heads
        self.projections.keep_heads(heads, width)
        self.out = _keep_inputs(self.out, _places(heads, width))
        self.heads = len(heads)


def _with_numbers(shared: Bias | None, own: Tensor | None) -> Bias | None:
    """The bias of all layers with one layer's numbers; the first stays one term, which is made only once."""
    if own is None:
        return shared
    return DenseBias(own) if shared is None else Sum((shared, DenseBias(own)))


def _bias(linear: nn.Linear) -> Tensor | None:
    return linear.bias


def _outputs(linear: nn.Module, part: slice, x: Tensor) -> Tensor:
    """Only these outputs of a layer."""
    if not isinstance(linear, nn.Linear):  # an adapter, or several layers: what they compute only they know
        outputs: Tensor = linear(x)
        return outputs[..., part]
    bias = _bias(linear)
    return F.linear(x, linear.weight[part], None if bias is None else bias[part])


def _places(heads: Sequence[int], width: int) -> Tensor:
    return torch.tensor([head * width + place for head in heads for place in range(width)], dtype=torch.long)


def _keep_outputs(linear: nn.Linear, places: Tensor, parts: int) -> nn.Linear:
    """The layer with only these outputs of each of its ``parts``."""
    size = linear.out_features // parts
    rows = torch.cat([places + part * size for part in range(parts)]).to(linear.weight.device)
    bias = _bias(linear)
    return linear_of(linear.weight[rows], None if bias is None else bias[rows], linear)


def _keep_inputs(linear: nn.Linear, places: Tensor) -> nn.Linear:
    return linear_of(linear.weight[:, places.to(linear.weight.device)], linear.bias, linear)
