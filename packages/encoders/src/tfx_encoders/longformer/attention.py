"""Attention to a window and to global tokens, which see everything by projections of their own."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.nn import (
    PADDED,
    Allowed,
    Attention,
    AttentionCall,
    Bias,
    CrossProjections,
    FusedProjections,
    Observer,
    PlacedMask,
    Span,
    can_read,
    terms_of,
    together,
    true_first,
)


@dataclass(frozen=True)
class GlobalPlaces:
    """Where the global tokens of a call are, ``X`` of them in the row that has most."""

    mask: Tensor
    """Boolean ``(B, L)``: which columns of the aligned rows they are."""
    columns: Tensor
    """``(B, X)``: of each row the columns of its global tokens in their order, then others."""
    present: Tensor
    """Boolean ``(B, X)``: which of these are global tokens."""

    @classmethod
    def of(cls, span: Span, chosen: Tensor | None) -> "GlobalPlaces | None":
        """Of a mask ``(B|1, T)`` over the tokens of a call; ``None`` where there are none.

        Raises `InputError` for another shape, and where padding is chosen. Where nothing can be read each token has a
        place, as if all might be global.
        """
        if chosen is None:
            return None
        chosen = span.new.of_each(chosen, "global_attention_mask").bool()
        known = can_read(chosen)
        if known and bool((chosen & ~span.new.dense_mask).any()):
            row, column = (chosen & ~span.new.dense_mask).nonzero()[0].tolist()
            raise InputError(
                f"global_attention_mask: token {column} of row {row} is padding by attention_mask; only tokens of the "
                "text can be global"
            )
        if known and not bool(chosen.any()):
            return None
        mask = span.layout.split(span.layout.pack(chosen[..., None].byte()), 1)[:, 0, :, 0].bool()  # (B, L)
        counts = mask.sum(1)
        most = int(counts.max()) if known else mask.shape[1]
        columns = true_first(mask)[:, :most]
        return cls(mask, columns, torch.arange(most, device=mask.device) < counts[:, None])

    def pick(self, x: Tensor) -> Tensor:
        """``(B, H, L, d) -> (B, H, X, d)``."""
        return x.gather(2, self._places(x))

    def put(self, picked: Tensor, x: Tensor) -> Tensor:
        """Rows ``(B, H, X, d)`` of global tokens in their places among ``(B, H, L, d)``."""
        kept = picked.where(self.present[:, None, :, None], self.pick(x))
        return x.scatter(2, self._places(x), kept)

    def _places(self, x: Tensor) -> Tensor:
        """Indices ``(B, H, X, d)`` into the third dimension of ``(B, H, L, d)``."""
        return self.columns[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3])

    def seen(self, bias: Bias | None) -> Bias | None:
        """What is added to their scores ``(B, H, X, L)``: all of a bias but that they see every column."""
        return together(Allowed(self._seen(term)) for term in (() if bias is None else terms_of(bias)))

    def _seen(self, term: Bias) -> Tensor:
        if isinstance(term, PlacedMask):
            places = torch.arange(self.mask.shape[1], device=self.mask.device)[None]
            return term.at(self.columns, places)[:, None]
        assert isinstance(term, Allowed)
        pairs = term.pairs
        # one row for all queries, or one for each, as of a pattern that is told pair by pair
        return pairs if pairs.shape[2] == 1 else pairs.take_along_dim(self.columns[:, None, :, None], dim=2)


@dataclass(frozen=True)
class WindowCall(AttentionCall):
    """What one layer is given besides its tokens."""

    places: GlobalPlaces | None = None
    global_bias: Bias | None = None
    global_observer: Observer | None = None


class LongformerAttention(Attention):
    """Attention by the call's bias, but global tokens see everything, by projections of their own (§3.1 and 3.2)."""

    def __init__(
        self,
        projections: FusedProjections,
        global_projections: CrossProjections,
        out: nn.Linear,
        heads: int,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(projections, out, heads, dropout=dropout)
        self.global_projections = global_projections

    def forward(self, x: Tensor, call: AttentionCall) -> Tensor:
        """Packed tokens ``(…, D) -> (…, D)``."""
        assert isinstance(call, WindowCall)
        context = self.attend(*self.project(x, call), call)  # (B, H, L, d)
        if call.places is not None:
            context = call.places.put(self._global(x, call.places, call), context)
        return self.merge(context, call)

    def _global(self, x: Tensor, places: GlobalPlaces, call: WindowCall) -> Tensor:
        """What the global tokens see, ``(B, H, X, d)``."""
        tokens = call.layout.split(x, 1)  # (B, 1, L, D)
        chosen = places.pick(tokens)[:, 0]  # (B, X, D)
        of_all = replace(call, bias=call.global_bias, observer=call.global_observer)
        if self._by_few(chosen, of_all):
            return self._seen_by_few(chosen, tokens, of_all)
        query, key, value = self.global_projections(chosen, x)
        key, value = (call.layout.split(each, self.heads) for each in (key, value))
        return self.attend(PADDED.split(query, self.heads), key, value, of_all)

    def _by_few(self, chosen: Tensor, call: WindowCall) -> bool:
        """Whether less is to be computed for the queries ``(B, X, D)`` than for all keys and values."""
        same = call.bias is None or (isinstance(call.bias, Allowed) and call.bias.pairs.shape[2] == 1)
        plain = same and call.observer is None and type(self.global_projections.keys_values) is nn.Linear
        # what learns, or drops weights, takes the steps one by one
        computed = torch.is_grad_enabled() or not can_read(chosen) or (self.training and self.dropout > 0)
        return plain and not computed and 2 * self.heads * chosen.shape[1] <= chosen.shape[2]

    def _seen_by_few(self, chosen: Tensor, tokens: Tensor, call: WindowCall) -> Tensor:
        """The same by ``q·(W x) = (Wᵀ q)·x``: tokens ``(B, 1, L, D)`` are their own keys and values, of every head.

        A bias of the keys adds the same to all scores of a query, which changes nothing.
        """
        layer = self.global_projections.keys_values
        of_keys, of_values = layer.weight.view(2, self.heads, -1, layer.in_features)  # (H, d, D) each
        query = _by_head(PADDED.split(self.global_projections.queries(chosen), self.heads), of_keys)  # (B, H, X, D)
        seen = self.attend(query.flatten(1, 2)[:, None], tokens, tokens, call).view(query.shape)
        return _by_head(seen, of_values.transpose(1, 2)) + layer.bias.view(2, self.heads, 1, -1)[1]


def _by_head(x: Tensor, weight: Tensor) -> Tensor:
    """``(B, H, X, n)`` times ``(H, n, m)``, of which no row of the batch needs a copy: ``(B, H, X, m)``."""
    rows: Tensor = x.transpose(0, 1).flatten(1, 2) @ weight  # (H, B·X, m)
    return rows.view(len(weight), len(x), -1, weight.shape[-1]).transpose(0, 1)
