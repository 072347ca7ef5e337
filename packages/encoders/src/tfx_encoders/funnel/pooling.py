"""Two neighbouring states become one (Dai et al. 2020, §2.2), in rows that begin with their first real token."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from tfx_core.nn import RealTokens

PoolingKind: TypeAlias = Literal["mean", "max", "first"]


@dataclass(frozen=True)
class PoolingRules:
    """How rows of states become half as long, each by its own length: neither padding nor other rows matter.

    A row of which the pooling would leave nothing, of one state or one beside the first that stands apart, stays.
    """

    kind: PoolingKind
    apart: bool
    """Whether the first state stands apart."""
    truncated: bool
    """Whether the last state is left out."""

    def windows(self, real: RealTokens) -> "Windows":
        """What the states of these rows ``(B, S)`` become."""
        columns = real.length - int(self.truncated and real.length > 2)
        firsts = torch.arange(int(self.apart), columns, 2, device=real.device)
        if self.apart:
            firsts = torch.cat((firsts.new_zeros(1), firsts))
        counts = real.dense_mask.sum(1, keepdim=True)  # (B, 1)
        counts = counts - (counts > 2).long() if self.truncated else counts
        inside = firsts < counts  # (B, P)
        return Windows(
            self.kind,
            firsts,
            seconds=(firsts + 1).clamp(max=real.length - 1),
            paired=(firsts + 1 < counts) & (firsts >= int(self.apart)),
            real=replace(real, length=len(firsts)) if real.mask is None else RealTokens.of(inside, inside),
        )

    def places(self, tokens: int, blocks: int, device: torch.device) -> Tensor:
        """``(tokens,)``: which state each token has a part in after the poolings between so many blocks."""
        apart = int(self.apart)
        others = torch.arange(tokens, device=device) - apart  # from the first that does not stand apart
        return (others >> (blocks - 1)) + apart  # halved so often, rounded down: -1 stays -1


@dataclass(frozen=True, eq=False)
class Windows:
    """Of which states each of ``P`` pooled ones is made, of ``S``."""

    kind: PoolingKind
    firsts: Tensor
    """``(P,)``: the column of the first."""
    seconds: Tensor
    """``(P,)``."""
    paired: Tensor
    """Boolean ``(B, P)``, where there is a second."""
    real: RealTokens
    """Which pooled ones are real, ``(B, P)``."""

    def pool(self, x: Tensor) -> Tensor:
        """``(B, S, D) -> (B, P, D)``."""
        first = x.index_select(1, self.firsts)
        if self.kind == "first":
            return first
        second = x.index_select(1, self.seconds)
        both = (first + second) / 2 if self.kind == "mean" else torch.maximum(first, second)
        return torch.where(self.paired[..., None], both, first)
