"""The texts being decoded, row by row, without their padding."""

from typing import Self

import torch
from torch import Tensor

from tfx_core.generation.prompts import Prompts


class Rows:
    """Token sequences that grow, with where each belongs; ``R`` rows.

    ``ids`` ``(R, capacity)`` holds the tokens of row ``r`` in columns 0 to ``lengths[r] - 1``; what stands behind them
    means nothing. ``sources`` and ``places`` ``(R,)`` are the row of the batch that it continues and the row of the
    result that it may become; ``prompt_lengths`` and ``limits`` the length it began with and the greatest allowed.
    ``vectors`` ``(R,)`` tokens stand before these of which no id is known.
    ``avoided`` ``(R, n)`` are the tokens that earlier groups of beams chose for this step, -1 for none.
    """

    def __init__(
        self,
        ids: Tensor,
        lengths: Tensor,
        prompt_lengths: Tensor,
        limits: Tensor,
        sources: Tensor,
        places: Tensor,
        vectors: Tensor | None = None,
    ) -> None:
        self.ids = ids
        self.lengths = lengths
        self.prompt_lengths = prompt_lengths
        self.limits = limits
        self.sources = sources
        self.places = places
        self.vectors = torch.zeros_like(lengths) if vectors is None else vectors
        self.avoided = ids[:, :0]
        # no row is longer: saves asking the device for the greatest length
        self.width = ids.shape[1]

    @classmethod
    def of(cls, prompts: Prompts, limits: Tensor, copies: int = 1) -> Self:
        """``copies`` adjacent rows for every prompt; ``limits`` ``(B,)``."""
        places = torch.arange(len(prompts) * copies, device=prompts.ids.device)
        sources = places // copies
        lengths = prompts.lengths[sources]
        vectors = None if prompts.vectors is None else prompts.vectors[sources]
        rows = cls(prompts.ids[sources], lengths, lengths.clone(), limits[sources], sources, places, vectors)
        rows.reserve()
        return rows

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def new_lengths(self) -> Tensor:
        """Number of tokens after the prompt ``(R,)``."""
        return self.lengths - self.prompt_lengths

    @property
    def text_lengths(self) -> Tensor:
        """Number of tokens ``(R,)``, those included of which no id is known."""
        return self.lengths + self.vectors

    @property
    def last(self) -> Tensor:
        """The last token of each row ``(R,)``."""
        return self.ids.gather(1, self.lengths[:, None] - 1).squeeze(1)

    def append(self, tokens: Tensor, where: Tensor | None = None) -> None:
        """Append a token ``(R,)`` to every row, or to the rows for which ``where`` ``(R,)`` is true."""
        self.reserve()
        # a row that is left out gets the token behind its end, where it means nothing
        self.ids.scatter_(1, self.lengths[:, None], tokens[:, None])
        self.lengths = self.lengths + (1 if where is None else where.long())
        self.avoided = self.ids[:, :0]
        self.width += 1

    def reserve(self) -> None:
        """Make room for a token in every row."""
        if self.width == self.ids.shape[1]:
            grown = self.ids.new_zeros(len(self.ids), 2 * self.width + 16)
            grown[:, : self.width] = self.ids
            self.ids = grown

    def take(self, index: Tensor) -> Self:
        """The rows at ``index``; a row may be taken more than once."""
        taken = type(self)(
            self.ids.index_select(0, index),
            self.lengths[index],
            self.prompt_lengths[index],
            self.limits[index],
            self.sources[index],
            self.places[index],
            self.vectors[index],
        )
        taken.avoided = self.avoided[index]
        taken.width = self.width
        return taken

    def inside(self) -> Tensor:
        """Which columns hold tokens, ``(R, width)``."""
        return torch.arange(self.width, device=self.ids.device) < self.lengths[:, None]

    def suffixes(self, count: int) -> tuple[Tensor, Tensor]:
        """The last ``count`` tokens ``(R, count)``, and which rows ``(R,)`` are that long."""
        columns = self.lengths[:, None] - count + torch.arange(count, device=self.ids.device)
        return self.ids.gather(1, columns.clamp(min=0)), self.lengths >= count

    def tokens(self, row: int) -> Tensor:
        """All tokens of one row."""
        return self.ids[row, : int(self.lengths[row])]

    def new_tokens(self, row: int) -> Tensor:
        """The tokens of one row after its prompt."""
        return self.ids[row, int(self.prompt_lengths[row]) : int(self.lengths[row])].clone()
