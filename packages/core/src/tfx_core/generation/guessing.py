"""Greedy search and sampling in blocks: tokens are guessed, and all verified in one step of the model.

The result is the one of greedy search or sampling, token for token; only the number of steps differs. Who guesses knows
the numbers that a sample is drawn with (`RowNoise`), and draws with them as well: a guess is right as often as its
distribution is like the model's (arXiv 2408.07978), and what is drawn does not depend on who guesses.
"""

from typing import Protocol

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.output import Decoded
from tfx_core.generation.rows import Rows
from tfx_core.generation.search import Search, drop
from tfx_core.generation.state import DecodingState, ExtendingState
from tfx_core.generation.stepwise import Chooser, Collector


class Guesser(Protocol):
    """Guesses how texts go on; it follows the rows as a state does."""

    def begin(self, copies: int) -> None:
        """Read what the texts begin with; there will be ``copies`` adjacent rows for each source."""
        ...

    def guess(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Tokens ``(R, n)`` that may follow each row, and how many of them are meant ``(R,)``.

        A row's last allowed token is chosen after its guesses, so there is one fewer than it has room for.
        """
        ...

    def told(self, counts: Tensor) -> None:
        """Each row went on by ``counts`` ``(R,)`` tokens, all but the last of which were guessed."""
        ...

    def reorder(self, rows: Tensor) -> None:
        """As of a `DecodingState`."""
        ...

    def select(self, sources: Tensor) -> None:
        """As of a `DecodingState`."""
        ...


def decode_guessed(state: DecodingState, search: Search, guesser: Guesser, choose: Chooser, name: str) -> Decoded:
    """Each block is the last token and what may follow it; ``name`` is what errors call this."""
    if not isinstance(state, ExtendingState):
        raise InputError(f"{type(state).__name__} cannot take tokens back: {name} needs that")
    copies = search.options.num_return_sequences
    rows = search.rows(copies)
    collector = Collector(state, search, len(rows))
    if search.streamer is not None and len(rows) > 1:
        raise InputError(f"streaming with {name}: only one text at a time, its tokens come in blocks")
    logits = state.prefill()
    guesser.begin(copies)
    if copies > 1:
        state.expand(copies)
        logits = logits.repeat_interleave(copies, dim=0)
    counts, over = _accept(search, choose, rows, logits[:, None], torch.empty_like(rows.ids[:, :0]))
    while True:
        collector.stream_block(rows, counts)
        if bool(over.any()):
            collector.add(rows, over)
            if bool(over.all()):
                return collector.decoded()
            rows, copies = drop((state, guesser), rows, over, copies)
        guesses, guessed = guesser.guess(rows)
        block = torch.cat((rows.last[:, None], guesses), dim=1)
        logits = state.extend(block, guessed + 1)
        # of the block, the last token and the guesses that came true stay; the token after them is not read yet
        counts, over = _accept(search, choose, rows, logits, guesses, guessed)
        state.keep(counts)
        guesser.told(counts)


def _accept(
    search: Search, choose: Chooser, rows: Rows, logits: Tensor, guesses: Tensor, guessed: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Append to each row the tokens chosen by ``logits`` ``(R, n + 1, V)`` as long as the guesses ``(R, n)`` hold.

    Returns how many were appended ``(R,)``, and which rows are over.
    """
    counts = torch.zeros_like(rows.lengths)
    over = torch.zeros_like(rows.lengths, dtype=torch.bool)
    going = torch.ones_like(over)
    for number in range(logits.shape[1]):
        which = going.nonzero().flatten()
        here = rows.take(which)
        chosen = choose(search.scores(logits[which, number], here), here)
        tokens = torch.zeros_like(rows.lengths)
        tokens[which] = chosen
        rows.append(tokens, going)
        counts = counts + going.long()
        ended = torch.zeros_like(over)
        ended[which] = search.stopping(rows.take(which))
        over |= ended
        if number == logits.shape[1] - 1 or guessed is None:
            break
        going = going & ~ended & (number < guessed) & (guesses[:, number] == tokens)
        if not bool(going.any()):
            break
    rows.width = int(rows.lengths.max())
    return counts, over
