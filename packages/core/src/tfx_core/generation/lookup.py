"""Prompt lookup: guess the next tokens from an earlier occurrence of the last ones, and verify all in one step.

The result is the one of greedy search or sampling, token for token; only the number of steps differs.
"""

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.output import Decoded
from tfx_core.generation.rows import Rows
from tfx_core.generation.search import Search, drop
from tfx_core.generation.state import DecodingState, ExtendingState
from tfx_core.generation.stepwise import Chooser, Collector, chooser


def decode_lookup(state: DecodingState, search: Search) -> Decoded:
    """Greedy search or sampling in blocks: the last token and what may follow it."""
    if not isinstance(state, ExtendingState):
        raise InputError(f"{type(state).__name__} cannot take tokens back: prompt lookup needs that")
    copies = search.options.num_return_sequences
    rows, choose = search.rows(copies), chooser(search)
    collector = Collector(search, len(rows))
    if search.streamer is not None and len(rows) > 1:
        raise InputError("streaming with prompt lookup: only one text at a time, its tokens come in blocks")
    logits = state.prefill()
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
            rows, copies = drop(state, rows, over, copies)
        guesses, guessed = guess(search, rows)
        block = torch.cat((rows.last[:, None], guesses), dim=1)
        logits = state.extend(block, guessed + 1)
        # of the block, the last token and the guesses that came true stay; the token after them is not read yet
        counts, over = _accept(search, choose, rows, logits, guesses, guessed)
        state.keep(counts)


def guess(search: Search, rows: Rows) -> tuple[Tensor, Tensor]:
    """What followed the first earlier occurrence of the longest possible ending: tokens ``(R, n)``, how many ``(R,)``.

    An encoder's input is searched first: summaries and corrections copy from it.
    """
    options = search.options
    ids, lengths = _searched(search, rows)
    most = int((rows.limits - rows.lengths).max()) - 1
    count = max(min(options.prompt_lookup_num_tokens or 0, most), 0)
    start = torch.full_like(lengths, -1)
    ends = torch.arange(1, ids.shape[1], device=ids.device).expand(len(ids), -1)  # each with a token after it
    matches = ends < lengths[:, None]
    # a longer ending occurs only where the shorter one does
    for size in range(1, min(options.max_matching_ngram_size, ids.shape[1] - 1) + 1):
        wanted = rows.ids.gather(1, (rows.lengths[:, None] - size).clamp(min=0))
        before = ids.gather(1, (ends - size).clamp(min=0))
        matches = matches & (before == wanted) & (ends >= size) & (rows.lengths >= size)[:, None]
        found = matches.any(1)
        if not bool(found.any()):
            break
        start = torch.where(found, matches.to(torch.uint8).argmax(1) + 1, start)
    # a row's last allowed token is chosen after its guesses
    guessed = torch.minimum(lengths - start, rows.limits - rows.lengths - 1).clamp(min=0, max=count)
    guessed = guessed.masked_fill(start < 0, 0)
    width = int(guessed.max())
    columns = start[:, None] + torch.arange(width, device=ids.device)
    return ids.gather(1, columns.clamp(min=0, max=ids.shape[1] - 1)), guessed


def _searched(search: Search, rows: Rows) -> tuple[Tensor, Tensor]:
    """The tokens ``(R, S)`` to look in, and their numbers ``(R,)``."""
    ids, lengths = rows.ids[:, : rows.width], rows.lengths
    if search.source is None:
        return ids, lengths
    read, sizes = search.source.ids[rows.sources], search.source.lengths[rows.sources]
    both = torch.cat((read, torch.zeros_like(ids)), dim=1)
    columns = sizes[:, None] + torch.arange(ids.shape[1], device=ids.device)
    return both.scatter(1, columns, ids), sizes + lengths


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
