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
    Causal,
    CrossProjections,
    FusedProjections,
    Observer,
    SameText,
    Span,
    Sum,
    can_read,
    together,
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
        columns = mask.logical_not().long().argsort(dim=1, stable=True)[:, :most]
        return cls(mask, columns, torch.arange(most, device=mask.device) < counts[:, None])

    def pick(self, x: Tensor) -> Tensor:
        """``(B, H, L, d) -> (B, H, X, d)``."""
        return x.gather(2, self.columns[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))

    def put(self, picked: Tensor, x: Tensor) -> Tensor:
        """Rows ``(B, H, X, d)`` of global tokens in their places among ``(B, H, L, d)``."""
        number = (self.mask.cumsum(1) - 1).clamp(min=0)  # (B, L)
        spread = picked.gather(2, number[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))
        return spread.where(self.mask[:, None, :, None], x)

    def seen(self, bias: Bias | None) -> Bias | None:
        """What is added to their scores ``(B, H, X, L)``: all of a bias but that they see every column."""
        terms = bias.terms if isinstance(bias, Sum) else () if bias is None else (bias,)
        return together(Allowed(self._seen(term)) for term in terms)

    def _seen(self, term: Bias) -> Tensor:
        if isinstance(term, SameText):
            texts = term.texts.expand(len(self.columns), -1)
            return (texts.gather(1, self.columns)[..., None] == texts[:, None])[:, None]
        if isinstance(term, Causal):
            before = torch.arange(self.mask.shape[1], device=self.mask.device)
            return (before <= self.columns[..., None])[:, None]
        assert isinstance(term, Allowed)
        return term.pairs


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
        chosen = places.pick(call.layout.split(x, 1))[:, 0]  # (B, X, D)
        query, key, value = self.global_projections(chosen, x)
        key, value = (call.layout.split(each, self.heads) for each in (key, value))
        of_all = replace(call, bias=call.global_bias, observer=call.global_observer)
        return self.attend(PADDED.split(query, self.heads), key, value, of_all)
