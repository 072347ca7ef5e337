"""The stretch of tokens that one call brings: which of them are real, where they stand, what they may attend to."""

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn.attention import AttentionCall, Geometry
from tfx_core.nn.bias import Allowed, Bias, Causal, DenseBias, together
from tfx_core.nn.cache import DecoderCache
from tfx_core.nn.kernels import AttentionKernel
from tfx_core.nn.layout import PADDED, Layout, RowsPerSource
from tfx_core.nn.patterns import by_pattern, without_pattern
from tfx_core.nn.real_tokens import RealTokens, can_read, packed_texts


@dataclass(frozen=True)
class Span:
    """``T`` new tokens of ``B`` rows, after what a cache remembers; ``S`` tokens in all."""

    new: RealTokens
    """Of the ``T`` new tokens."""

    known: RealTokens
    """Of all ``S``, in the columns that attention sees."""

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
        `InputError` for a mask or positions of another shape.

        A mask with three axes says all that each token sees, so ``causal`` is then the caller's business, as in the
        reference. ``position_ids`` ``(B|1, T)`` move tokens in every mechanism of positions; what comes before a token
        for ``causal`` is told by its column all the same. Tokens after a cache are counted on from its last position.
        Without mask and cache, positions that begin at 0 again tell texts that are packed into a row: they do not see
        each other (`packed_texts`).
        """
        length, past = tokens.shape[1], 0 if cache is None else cache.length
        mask = _checked_mask(attention_mask, tokens.shape[0], length, past)
        pairs = mask if mask is not None and mask.dim() == 3 else None
        new = RealTokens.of(tokens, None if mask is None or pairs is not None else mask[:, -length:]).at(position_ids)
        alone = mask is None and cache is None and new.given is not None
        known = new if cache is None else cache.append(new)
        positions = known.positions
        geometry = Geometry(positions[:, -length:], positions)
        return cls(
            new=new if known.given is None else new.at(positions[:, -length:]),
            known=known,
            positions=geometry.query_positions,
            geometry=geometry,
            layout=new.layout if layout is None else layout,
            bias=together((
                known.keys,
                None if pairs is None else Allowed(pairs.bool()[:, None]),
                packed_texts(positions) if alone else None,
                Causal() if causal and pairs is None and length > 1 else None,
            )),
        )  # fmt: skip

    @classmethod
    def aligned(
        cls,
        tokens: Tensor,
        attention_mask: Tensor | None,
        *,
        causal: bool,
        position_ids: Tensor | None = None,
        cache: DecoderCache | None = None,
    ) -> Self:
        """The same of tokens ``(B, T, …)`` for attention that counts by columns, see `RealTokens.aligned`.

        ``geometry`` and ``bias`` are of the new tokens alone, in aligned columns, ``positions`` of the text's, as a
        layout packs them. Raises `InputError` for a mask with three axes, too.
        """
        if attention_mask is not None and attention_mask.dim() != 2:
            raise InputError("attention_mask with three axes: this model's attention counts by columns; give (B, T)")
        length, past = tokens.shape[1], 0 if cache is None else cache.length
        mask = _checked_mask(attention_mask, tokens.shape[0], length, past)
        new = RealTokens.of(tokens, None if mask is None else mask[:, -length:]).at(position_ids)
        known = new if cache is None else cache.append(new)
        layout, inside = new.aligned()
        alone = mask is None and cache is None and new.given is not None
        positions = known.positions[:, -length:]
        return cls(
            new=new if known.given is None else new.at(positions),
            known=inside,
            positions=positions,
            geometry=Geometry(inside.positions, inside.positions),
            layout=layout,
            bias=together((
                inside.keys,
                packed_texts(inside.positions) if alone else None,
                Causal() if causal and inside.length > 1 else None,
            )),
        )  # fmt: skip

    def biased(self, numbers: Tensor) -> "Span":
        """The span with numbers ``(B|1, H, T, S)`` added to its scores: what every layer of a stack shares."""
        return replace(self, bias=together((self.bias, DenseBias(numbers))))

    def check_positions(self, limit: int | None, named_from: int = 0, name: str = "input_ids") -> None:
        """Raise `InputError` where a token stands at ``limit`` or beyond, or before 0; padding does not count.

        The caller's own ``position_ids`` called the first position ``named_from``; ``name`` is what brought the tokens.
        """
        counted, length = self.new.given is None, self.geometry.key_positions.shape[1]
        # so many tokens have positions wherever their padding is: nothing to read, nothing to wait for
        if limit is None or (counted and length <= limit):
            return
        if can_read(self.positions):
            first, last = (int(each) for each in self.positions.aminmax())
        elif counted and self.new.mask is None:  # a compiled call without padding
            first, last = 0, length - 1
        else:
            return
        if counted and last >= limit:
            raise InputError(
                f"{name}: text of {last + 1} tokens: this model has positions for {limit}; "
                f"shorten it, or tokenize with truncation=True, max_length={limit}"
            )
        if first < 0 or last >= limit:
            wrong = (first if first < 0 else last) + named_from
            raise InputError(
                f"position_ids: {wrong} is none of this model's; it has positions for {limit}, from {named_from} on"
            )

    def self_attention(self, kernel: AttentionKernel) -> AttentionCall:
        """The call for attention among these tokens and the remembered ones."""
        queries = self.geometry.query_positions.shape[1]
        kernel, bias = by_pattern(kernel, self.bias, self.known, queries)
        return AttentionCall(kernel=kernel, bias=bias, geometry=self.geometry, layout=self.layout)

    def cross_attention(
        self,
        kernel: AttentionKernel,
        source: Tensor | None,
        source_mask: Tensor | None,
        cache: DecoderCache | None = None,
    ) -> AttentionCall | None:
        """The call for attention to ``source`` ``(B, S, D)``, of which ``source_mask`` ``(B, S)`` is real.

        With several rows per source the rows attend together; the source may be absent once the cache knows it.
        ``None`` where there is no source at all. Raises `InputError` for a source that is none, and a mask of another.
        """
        if source is None and (cache is None or not cache.knows_source):
            if source_mask is not None:
                raise InputError("encoder_attention_mask: there are no encoder_hidden_states that it could be of")
            return None
        if source is not None and source.dim() != 3:
            raise InputError(f"encoder_hidden_states of shape {tuple(source.shape)}: must be (batch, tokens, width)")
        if source is not None and source_mask is not None and source_mask.shape != source.shape[:2]:
            raise InputError(
                f"encoder_attention_mask of shape {tuple(source_mask.shape)}: encoder_hidden_states ask for "
                f"{tuple(source.shape[:2])}"
            )
        rows = 1 if cache is None else cache.rows_per_source
        return AttentionCall(
            kernel=without_pattern(kernel),
            bias=None if source_mask is None else Allowed(source_mask.bool()[:, None, None]),
            source=source,
            layout=self.layout if rows == 1 else RowsPerSource(rows, self.layout),
            source_layout=PADDED,
        )


def _checked_mask(mask: Tensor | None, batch: int, new: int, past: int) -> Tensor | None:
    """The mask, or `InputError` if it does not fit ``batch`` rows of ``new`` tokens after ``past`` ones."""
    if mask is None:
        return None
    if mask.shape not in ((batch, new), (batch, past + new), (batch, new, past + new)):
        raise InputError(
            f"attention_mask of shape {tuple(mask.shape)}: {batch} rows of {new} tokens after {past} remembered ones "
            f"ask for ({batch}, {past + new})"
        )
    if past and mask.dim() == 3:
        raise InputError("attention_mask with three axes: not together with past_key_values")
    return mask
