"""The stretch of tokens that one call brings: which of them are real, where they stand, what they may attend to."""

from dataclasses import dataclass, replace

from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn.attention import AttentionCall, Geometry
from tfx_core.nn.bias import Allowed, Bias, Causal, DenseBias, together
from tfx_core.nn.cache import DecoderCache
from tfx_core.nn.kernels import AttentionKernel
from tfx_core.nn.layout import PADDED, Layout, RowsPerSource
from tfx_core.nn.real_tokens import RealTokens, can_read


@dataclass(frozen=True)
class Span:
    """``T`` new tokens of ``B`` rows, after what a cache remembers; ``S`` tokens in all."""

    new: RealTokens
    """Of the ``T`` new tokens."""

    positions: Tensor
    """``(B|1, T)``: counted in real tokens, so that padding moves nothing, unless the caller gave them."""

    geometry: Geometry
    layout: Layout
    bias: Bias | None
    """What the tokens may see of all."""

    @classmethod
    def of(
        cls,
        tokens: Tensor,
        attention_mask: Tensor | None,
        *,
        causal: bool,
        position_ids: Tensor | None = None,
        cache: DecoderCache | None = None,
        layout: Layout | None = None,
    ) -> "Span":
        """Describe ``tokens`` ``(B, T, …)``.

        ``attention_mask`` is ``(B, T)``, ``(B, S)`` or ``(B, T, S)``, 1 for what may be attended to. With a cache, its
        record of real tokens is extended. ``layout`` is by default the one that computes no padding. Raises
        `InputError` for a mask of another shape.
        """
        length, past = tokens.shape[1], 0 if cache is None else cache.length
        mask = _checked_mask(attention_mask, tokens.shape[0], length, past)
        pairs = mask if mask is not None and mask.dim() == 3 else None
        new = RealTokens.of(tokens, None if mask is None or pairs is not None else mask[:, -length:])
        known = new if cache is None else cache.append(new)
        positions = known.positions
        given = None if position_ids is None else position_ids.view(-1, length)
        geometry = Geometry(positions[:, -length:], positions, given=given)
        return cls(
            new=new,
            positions=geometry.token_positions,
            geometry=geometry,
            layout=new.layout if layout is None else layout,
            bias=together((
                known.keys,
                None if pairs is None else Allowed(pairs.bool()[:, None]),
                Causal() if causal and length > 1 else None,
            )),
        )  # fmt: skip

    def biased(self, numbers: Tensor) -> "Span":
        """The span with numbers ``(B|1, H, T, S)`` added to its scores: what every layer of a stack shares."""
        return replace(self, bias=together((self.bias, DenseBias(numbers))))

    def check_positions(self, limit: int | None) -> None:
        """Raise `InputError` where a token stands at ``limit`` or beyond; padding, which has no position, may."""
        if limit is None:
            return
        if can_read(self.positions):
            last = int(self.positions.max())
        elif self.new.mask is None and self.geometry.given is None:  # a compiled call without padding
            last = self.geometry.key_positions.shape[1] - 1
        else:
            return
        if last >= limit:
            raise InputError(
                f"text of {last + 1} tokens: this model has positions for {limit}; "
                "shorten it, or tokenize with truncation=True"
            )

    def self_attention(self, kernel: AttentionKernel) -> AttentionCall:
        """The call for attention among these tokens and the remembered ones."""
        return AttentionCall(kernel=kernel, bias=self.bias, geometry=self.geometry, layout=self.layout)

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
            bias=None if source_mask is None else Allowed(source_mask.bool()[:, None, None]),
            source=source,
            layout=self.layout if rows == 1 else RowsPerSource(rows),
            source_layout=PADDED,
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
