"""When a text ends: end tokens, its greatest length, strings, time and conditions of one's own."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from tfx_core.generation.rows import Rows


class TextDecoder(Protocol):
    """What is needed of a tokenizer; `tfx_core.Tokenizer` has it."""

    def decode(
        self, ids: list[int], /, *, skip_special_tokens: bool = ..., clean_up_tokenization_spaces: bool = ...
    ) -> str:
        """The text of the ids."""
        ...


StoppingCriterion = Callable[[Rows], Tensor]
"""What may stand in ``stopping_criteria``: which of the rows ``(R,)``, with their newest token, end here."""


class StopStrings:
    """A text ends with the token that completes one of the strings, wherever in the token the string ends.

    The strings are looked for in decoded text, so one may span tokens, begin in the prompt, or end amid the bytes of
    a character that is not complete yet. A string that ended before the newest token does not count.
    """

    def __init__(self, strings: Sequence[str], tokenizer: TextDecoder) -> None:
        self.strings = tuple(strings)
        self.tokenizer = tokenizer
        # a token adds a byte or more; a few more give the decoder its context
        self.tail = max(len(each.encode()) for each in strings) + 8

    def __call__(self, rows: Rows) -> Tensor:
        """Which rows ``(R,)`` have just completed a string."""
        ended = [self._completed(rows.tokens(row)[-self.tail :].tolist()) for row in range(len(rows))]
        return torch.tensor(ended, device=rows.ids.device)

    def _completed(self, ids: list[int]) -> bool:
        before, after = self._decoded(ids[:-1]), self._decoded(ids)
        # what both have is older than the newest token; a character that it completed is not among it
        settled = 0
        while settled < min(len(before), len(after)) and before[settled] == after[settled]:
            settled += 1
        return any(after.find(each, max(0, settled - len(each) + 1)) >= 0 for each in self.strings)

    def _decoded(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


class Stopping:
    """Says which rows are over, in two kinds: texts that *ended*, and texts that ran out of tokens or time."""

    def __init__(
        self, eos: Sequence[int] = (), max_time: float | None = None, criteria: Sequence[StoppingCriterion] = ()
    ) -> None:
        self._eos = torch.tensor(list(eos), dtype=torch.long)
        self._deadline = None if max_time is None else time.monotonic() + max_time
        self._criteria = tuple(criteria)

    def ended(self, rows: Rows) -> Tensor:
        """Rows ``(R,)`` whose newest token ends them."""
        last = rows.last
        if self._eos.device != last.device:
            self._eos = self._eos.to(last.device)
        ended = (last[:, None] == self._eos).any(1)
        for criterion in self._criteria:
            ended = ended | criterion(rows)
        return ended

    def expired(self, rows: Rows) -> Tensor:
        """Rows ``(R,)`` that may not grow further."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            return torch.ones_like(rows.lengths, dtype=torch.bool)
        return rows.lengths >= rows.limits

    def __call__(self, rows: Rows) -> Tensor:
        """Rows ``(R,)`` that are over."""
        return self.ended(rows) | self.expired(rows)
