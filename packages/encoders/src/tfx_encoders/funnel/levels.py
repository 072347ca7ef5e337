"""The rows of states between poolings: a level of the funnel."""

from dataclasses import dataclass

from torch import Tensor

from tfx_core.nn import Layout, RealTokens, Span
from tfx_encoders.funnel.pooling import Windows


@dataclass(frozen=True, eq=False)
class Level:
    """Rows of states that the layers of a block have in common; columns begin with each row's first real token."""

    tokens: int
    """How many tokens each state stands for."""
    real: RealTokens
    """``(B, C)``."""
    segments: Tensor
    """``(B|1, C)``: each that of its first token."""
    layout: Layout
    mask: Tensor | None
    """Boolean, which states are real of those that the layout unpacks; ``None`` where all are."""

    @classmethod
    def of_text(cls, span: Span, segments: Tensor | None) -> "Level":
        """The level of the tokens of an aligned span, whose segments are all the same unless they are given."""
        new = span.new
        _, real = new.aligned()
        if segments is None:
            return cls(1, real, new.column_positions.new_zeros(1, real.length), span.layout, new.mask)
        segments = new.of_each(segments, "token_type_ids")
        if new.mask is not None:
            segments = segments.gather(1, new.order_real_first()[:, : real.length])
        return cls(1, real, segments, span.layout, new.mask)

    def pooled(self, windows: Windows) -> "Level":
        """The level above."""
        segments = self.segments.index_select(1, windows.firsts)
        return Level(2 * self.tokens, windows.real, segments, windows.real.layout, windows.real.dense_mask)

    def rows(self, x: Tensor) -> Tensor:
        """Packed states ``(…, D) -> (B, C, D)``, zeros or anything after the last of a row."""
        return self.layout.split(x, 1)[:, 0]

    def packed(self, rows: Tensor) -> Tensor:
        """``(B, C, D)`` -> packed states."""
        return self.layout.merge(rows[:, None])
