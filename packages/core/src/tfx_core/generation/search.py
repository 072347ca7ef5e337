"""What every strategy works with: the options of a call and what was built from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.output import ScoreRecorder
from tfx_core.generation.processors import Processor
from tfx_core.generation.prompts import Prompts
from tfx_core.generation.rows import Rows
from tfx_core.generation.stopping import Stopping
from tfx_core.generation.streaming import Streamer

if TYPE_CHECKING:
    from tfx_core.generation.assisted import Assistant


@dataclass(frozen=True)
class Search:
    """One call."""

    options: GenerationOptions
    prompts: Prompts
    limits: Tensor
    """Greatest length ``(B,)`` of each text, prompt included."""
    processors: tuple[Processor, ...]
    stopping: Stopping
    recorder: ScoreRecorder
    pad: int
    """Fills up what has ended."""
    first: tuple[Processor, ...] = ()
    """Those of the model's own logits, which may be no log-probabilities yet."""
    source: Prompts | None = None
    """What the encoder read; ``None`` without an encoder."""
    streamer: Streamer | None = None
    assistant: "Assistant | None" = None
    """Who guesses the next tokens."""

    def rows(self, copies: int = 1) -> Rows:
        """The rows at the beginning."""
        return Rows.of(self.prompts, self.limits, copies)

    def scores(self, logits: Tensor, rows: Rows) -> Tensor:
        """The processed logits ``(R, V)`` of a strategy that takes one token for each row."""
        self.recorder.logits(logits, rows.places, rows.new_lengths)
        scores = self.processed(logits, rows)
        self.recorder.scores(scores, rows.places, rows.new_lengths)
        return scores

    def processed(self, logits: Tensor, rows: Rows) -> Tensor:
        """What the processors make of logits ``(R, V)``."""
        for processor in (*self.first, *self.processors):
            logits = processor(logits.float(), rows)
        return logits

    def log_probabilities(self, logits: Tensor, rows: Rows) -> Tensor:
        """The processed log-probabilities ``(R, V)`` of a strategy that adds them up."""
        self.recorder.logits(logits, rows.places, rows.new_lengths)
        for processor in self.first:
            logits = processor(logits.float(), rows)
        scores = logits.float().log_softmax(-1)
        for processor in self.processors:
            scores = processor(scores, rows)
        self.recorder.scores(scores, rows.places, rows.new_lengths)
        return scores


def is_dead(scores: Tensor) -> Tensor:
    """Which scores say that something cannot be chosen: it is banned, or goes on from what is."""
    return scores <= torch.finfo(scores.dtype).min


def check_best(best: Tensor, rows: Rows, found: Tensor | None = None) -> None:
    """Raise `InputError` where the highest scores ``(R,)`` are no numbers that a token can be chosen by.

    Where a text is ``found`` ``(R,)`` already, nothing need go on.
    """
    fine = ~is_dead(best) & (best < float("inf"))
    if found is not None:
        fine |= is_dead(best) & found
    if bool(fine.all()):
        return
    wrong = int((~fine).nonzero()[0])
    place, value = f"row {int(rows.sources[wrong])}", float(best[wrong])
    if value != value:
        raise InputError(
            f"{place}: the model's logits contain NaN. Its weights or inputs are damaged, or its numbers overflow "
            "(try dtype='float32'); remove_invalid_values=True goes on regardless"
        )
    if value > 0:
        raise InputError(f"{place}: the model's logits are infinite; remove_invalid_values=True goes on regardless")
    raise InputError(
        f"{place}: every token is banned after {rows.tokens(wrong).tolist()}; suppressed, bad and repeated words, "
        "the least length and what prefix_allowed_tokens_fn allows leave nothing to choose from"
    )


class Follower(Protocol):
    """What follows the rows: a `DecodingState`, or who guesses for one."""

    def reorder(self, rows: Tensor) -> None:
        """As of a `DecodingState`."""
        ...

    def select(self, sources: Tensor) -> None:
        """As of a `DecodingState`."""
        ...


def drop(states: Sequence[Follower], rows: Rows, over: Tensor, copies: int) -> tuple[Rows, int]:
    """Let the rows that are ``over`` ``(R,)`` leave states and rows; returns the rows left and rows per source.

    Every source keeps equally many rows, as a state wants it: where one has fewer left than another, its first row left
    stands in for the missing ones. It has the same place and so the same tokens; nothing comes of it.
    """
    left = (~over).view(-1, copies)
    sources = left.any(1).nonzero().flatten()
    if len(sources) < len(left):
        for each in states:
            each.select(sources)
        rows = rows.take((sources[:, None] * copies + torch.arange(copies, device=over.device)).flatten())
        left = left[sources]
    if bool(left.all()):
        return rows, copies
    # a stand-in, always next to the row of the same place, is not left over for its own sake
    places = rows.places.view(-1, copies)
    left[:, 1:] &= places[:, 1:] != places[:, :-1]
    fewer = int(left.sum(1).max())
    order = torch.argsort((~left).to(torch.uint8), dim=1, stable=True)[:, :fewer]
    order = torch.where(left.gather(1, order), order, order[:, :1]).sort(1).values
    index = (order + torch.arange(len(order), device=over.device)[:, None] * copies).flatten()
    for each in states:
        each.reorder(index)
    return rows.take(index), fewer
