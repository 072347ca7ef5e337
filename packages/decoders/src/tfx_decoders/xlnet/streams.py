"""What one call brings: the text, the places to predict, and what each of them may see (Yang et al. 2019, §2.3)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.nn import DenseBias, Distances, FreshKeys, PositionKeys, RealTokens, RelativeGeometry, taken


@dataclass(frozen=True)
class Reading:
    """``T`` tokens of ``B`` rows that are read now, the last of ``S`` that are known, and ``M`` places to predict."""

    length: int
    """``T``."""

    real: RealTokens
    """Of all ``S``: remembered ones first, then those that are read now; what is not real may not be seen."""

    hidden: Tensor | None = None
    """Boolean ``(B, T, T)``, true where a permutation hides the second token from the first."""

    targets: Tensor | None = None
    """``(B, M)``, where each state of the query stream stands; ``T`` is the place after the last token."""

    segments: Tensor | None = None
    """``(B, S)``."""

    @property
    def keys(self) -> int:
        """``S``."""
        return self.real.length

    @property
    def past(self) -> int:
        """Number of remembered tokens."""
        return self.keys - self.length


@dataclass(frozen=True, kw_only=True)
class StreamGeometry(RelativeGeometry):
    """Where queries and keys stand to each other; a pair's second segment key is that of different segments."""

    content: int
    """How many queries, the first ones, are those of the content stream."""


@dataclass(frozen=True)
class StreamRules:
    """How an XLNet sees: what its config says about masks and positions."""

    distances: Distances
    causal: bool
    same_length: bool
    backward_half: bool

    def geometry(
        self,
        reading: Reading,
        like: Tensor,
        dropout: Callable[[Tensor], Tensor],
        keys: PositionKeys | None = None,
    ) -> StreamGeometry:
        """Where the content stream's queries, and after them the query stream's, stand to the keys.

        ``like`` ``(B, …)`` has the type and device of the states; ``keys`` replace freshly made position keys.
        """
        positions = _and_next(reading.real.relative_positions)  # (B|1, S + 1), one beyond the last
        index = _queries(reading, like.device)  # (B|1, T + M)
        query = taken(positions, index)
        farthest, count = reading.keys, reading.keys + reading.length
        distances = query[:, :, None] - positions[:, None, :-1]
        if keys is None:
            vectors = self.distances.vectors(farthest, count, like, backward=self.backward_half)
            # one draw for all rows: the vectors are the same for them
            keys = FreshKeys(dropout(vectors), self._directions(len(like), like.device))
        return StreamGeometry(
            query_positions=query,
            key_positions=positions[:, :-1],
            content=reading.length,
            # only padding can be out of reach, of which the positions mean nothing
            places=(farthest - distances).clamp(0, count - 1),
            keys=keys,
            second_segment=_other_segment(reading, index),
        )

    def places(self, reading: Reading, device: torch.device) -> tuple[Tensor, Tensor]:
        """Of queries ``(B|1, T + M)`` and keys ``(B|1, S)``, counted in real tokens: padding moves nothing."""
        places = reading.real.positions
        return taken(_and_next(places), _queries(reading, device)), places

    def bias(self, reading: Reading, geometry: StreamGeometry, dtype: torch.dtype) -> DenseBias | None:
        """Of scores ``(B, H, T + M, S)``; a token of the content stream always sees itself.

        A token that may see nothing attends to all real ones alike, as in the released code; for that, what an order
        hides is less far down than padding.
        """
        hidden = _hidden_by_permutation(reading)
        if self.causal:
            later = self._out_of_order(reading, geometry)
            hidden = later if hidden is None else hidden | later
        if hidden is None and reading.real.mask is None:
            return None
        queries = geometry.query_positions.shape[1]
        lowest = torch.finfo(dtype).min
        bias = torch.zeros(1, queries, reading.keys, dtype=dtype, device=geometry.query_positions.device)
        if hidden is not None:
            bias = bias.masked_fill(hidden, lowest / 2)
        if reading.real.mask is not None:
            bias = bias.masked_fill(~reading.real.mask[:, None], lowest)
        itself = torch.eye(queries, reading.keys, dtype=torch.bool, device=bias.device)
        itself = itself.roll(reading.past, dims=1)
        itself[reading.length :] = False
        return DenseBias(bias.masked_fill(itself, 0.0)[:, None])

    def _out_of_order(self, reading: Reading, geometry: StreamGeometry) -> Tensor:
        """What follows, and with ``same_length`` what is farther away than the memory is long."""
        distances = geometry.distances
        if not self.same_length:
            return distances < 0
        remembered = reading.real.columns(0, reading.past)
        farthest = reading.past if remembered.mask is None else remembered.mask.sum(1)[:, None, None]
        return (distances < 0) | (distances > farthest)

    def _directions(self, batch: int, device: torch.device) -> Tensor | None:
        if not self.backward_half:
            return None
        if batch % 2:
            raise InputError(f"batch of {batch}: with bi_data its second half is read backwards, so it must be even")
        return torch.arange(2, device=device).repeat_interleave(batch // 2)


def _and_next(positions: Tensor) -> Tensor:
    """Of all keys ``(B|1, S)`` and of what would follow, ``(B|1, S + 1)``."""
    return torch.cat((positions, positions[:, -1:] + 1), dim=1)


def _queries(reading: Reading, device: torch.device) -> Tensor:
    """Which columns the queries stand in, ``(B|1, T + M)``."""
    past = reading.past
    content = torch.arange(past, reading.keys, device=device)[None]
    if reading.targets is None:
        return content
    return torch.cat((content.expand(len(reading.targets), -1), reading.targets + past), dim=1)


def _hidden_by_permutation(reading: Reading) -> Tensor | None:
    """``(B, T + M, S)``; nothing hides what is remembered."""
    hidden = reading.hidden
    if hidden is None:
        return None
    if reading.targets is not None:
        hidden = torch.cat((hidden, hidden.take_along_dim(reading.targets[..., None], dim=1)), dim=1)
    return F.pad(hidden, (reading.past, 0))


def _other_segment(reading: Reading, index: Tensor) -> Tensor | None:
    """Whether query and key are of different segments; what follows a text belongs to its last one."""
    segments = reading.segments
    if segments is None:
        return None
    of_queries = F.pad(segments[:, None], (0, 1), mode="replicate")[:, 0].gather(1, index.expand(len(segments), -1))
    return of_queries[:, :, None] != segments[:, None]
