"""Prompt lookup: guess the next tokens from an earlier occurrence of the last ones."""

import torch
from torch import Tensor

from tfx_core.generation.guessing import decode_guessed
from tfx_core.generation.output import Decoded
from tfx_core.generation.rows import Rows
from tfx_core.generation.search import Search
from tfx_core.generation.state import DecodingState
from tfx_core.generation.stepwise import chooser


def decode_lookup(state: DecodingState, search: Search) -> Decoded:
    """Greedy search or sampling, with guesses from what was read and written."""
    return decode_guessed(state, search, Lookup(search), chooser(search), "prompt lookup")


class Lookup:
    """The `Guesser` that looks into the texts; it remembers nothing."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def begin(self, copies: int) -> None:
        """Nothing."""

    def guess(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """What followed the first earlier occurrence of the longest possible ending."""
        return guess(self._search, rows)

    def told(self, counts: Tensor) -> None:
        """Nothing."""

    def reorder(self, rows: Tensor) -> None:
        """Nothing."""

    def select(self, sources: Tensor) -> None:
        """Nothing."""


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
