"""The stretch of tokens that one call brings: which of them are real, where they stand, what they may attend to."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn.attention import AttentionCall, Geometry
from tfx_core.nn.cache import DecoderCache
from tfx_core.nn.kernels import AttentionKernel
from tfx_core.nn.layout import PADDED, Layout, Ragged, RowsPerSource, has_padding
from tfx_core.nn.masks import additive, causal_mask, padding_mask, positions_of


@dataclass(frozen=True)
class Span:
    """``T`` new tokens of ``B`` rows, after what a cache remembers; ``S`` tokens in all."""

    positions: Tensor
    """``(B|1, T)``: counted in real tokens, so that padding moves nothing, unless the caller gave them."""

    geometry: Geometry
    layout: Layout
    mask: Tensor | None
    """Additive, broadcastable to ``(B, H, T, S)``."""

    dtype: torch.dtype

    @classmethod
    def of(
        cls,
        tokens: Tensor,
        attention_mask: Tensor | None,
        *,
        causal: bool,
        dtype: torch.dtype,
        position_ids: Tensor | None = None,
        cache: DecoderCache | None = None,
    ) -> "Span":
        """Describe ``tokens`` ``(B, T, …)``.

        ``attention_mask`` is ``(B, T)``, ``(B, S)`` or ``(B, T, S)``, 1 for what may be attended to. With a cache, its
        record of real tokens is extended. Raises `InputError` for a mask of another shape.
        """
        (batch, new), past = tokens.shape[:2], 0 if cache is None else cache.length
        mask = _checked_mask(attention_mask, batch, new, past)
        flat = None if mask is None or mask.dim() == 3 else mask[:, -new:]
        padded = has_padding(flat)
        if cache is not None:
            real = tokens.new_ones(batch, new, dtype=torch.long) if flat is None else flat.long()
            mask = cache.extend_mask(real, padded)
            unpadded = cache.padded is False
        else:
            unpadded = padded is False and (mask is None or mask.dim() == 2)
        if mask is None or mask.dim() == 3 or unpadded:
            key_positions = torch.arange(past + new, device=tokens.device)[None]
        else:
            key_positions = positions_of(mask)
        allowed = None if mask is None or unpadded else padding_mask(mask)
        if causal and new > 1:
            order = causal_mask(new, past + new, tokens.device)
            allowed = order if allowed is None else order & allowed
        return cls(
            positions=key_positions[:, -new:] if position_ids is None else position_ids.view(-1, new),
            geometry=Geometry(key_positions[:, -new:], key_positions),
            layout=Ragged(flat) if flat is not None and padded else PADDED,
            mask=None if allowed is None else additive(allowed, dtype),
            dtype=dtype,
        )

    def biased(self, bias: Tensor) -> "Span":
        """The span with a bias ``(B|1, H, T, S)`` added to its mask: what every layer of a stack shares."""
        return replace(self, mask=bias if self.mask is None else self.mask + bias)

    def check_positions(self, limit: int | None) -> None:
        """Raise `InputError` where a token stands at ``limit`` or beyond."""
        if limit is None or self.positions.device.type == "meta" or torch.compiler.is_compiling():
            return
        last = int(self.positions.max()) if self.positions.numel() else 0
        if last >= limit:
            raise InputError(f"text of {last + 1} tokens: this model has positions for {limit}; shorten it")

    def self_attention(self, kernel: AttentionKernel) -> AttentionCall:
        """The call for attention among these tokens and the remembered ones."""
        return AttentionCall(kernel=kernel, mask=self.mask, geometry=self.geometry, layout=self.layout)

    def cross_attention(
        self,
        kernel: AttentionKernel,
        source: Tensor | None,
        source_mask: Tensor | None,
        cache: DecoderCache | None = None,
    ) -> AttentionCall | None:
        """The call for attention to ``source`` ``(B, S, D)``, of which ``source_mask`` ``(B, S)`` is real.

        With several rows per source the rows attend together; the source may be absent once the cache knows it.
        ``None`` where there is no source at all.
        """
        if source is None and (cache is None or not cache.knows_source):
            return None
        rows = 1 if cache is None else cache.rows_per_source
        return AttentionCall(
            kernel=kernel,
            mask=None if source_mask is None else additive(padding_mask(source_mask), self.dtype),
            source=source,
            layout=self.layout if rows == 1 else RowsPerSource(rows),
        )


def _checked_mask(mask: Tensor | None, batch: int, new: int, past: int) -> Tensor | None:
    """The mask, or `InputError` if it does not fit ``batch`` rows of ``new`` tokens after ``past`` ones."""
    if mask is None:
        return None
    lengths = (new, past + new)
    fits = mask.shape[0] == batch and (
        (mask.dim() == 2 and mask.shape[1] in lengths) or (mask.dim() == 3 and mask.shape[1:] == (new, past + new))
    )
    if not fits:
        raise InputError(
            f"attention_mask of shape {tuple(mask.shape)}: {batch} rows of {new} tokens after {past} remembered ones "
            f"ask for ({batch}, {past + new})"
        )
    if past and mask.dim() == 3:
        raise InputError("attention_mask with three axes: not together with past_key_values")
    return mask
