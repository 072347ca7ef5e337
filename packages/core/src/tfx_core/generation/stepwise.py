"""Strategies that take one token after the other for each row: greedy search and sampling."""

from typing import Protocol

import torch
from torch import Tensor

from tfx_core.generation.output import Decoded
from tfx_core.generation.rows import Rows
from tfx_core.generation.sampling import RowNoise, Sampler
from tfx_core.generation.search import Search, check_best, drop
from tfx_core.generation.state import DecodingState, RememberingState
from tfx_core.nn import DecoderCache


class Chooser(Protocol):
    """Chooses the next token of each row."""

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """Tokens ``(R,)`` by the scores ``(R, V)``."""
        ...


def most_likely(scores: Tensor, rows: Rows) -> Tensor:
    """The token of the highest score; no softmax is needed for that."""
    best, tokens = scores.max(1)
    check_best(best, rows)
    return tokens


def chooser(search: Search) -> Chooser:
    """What the options ask for."""
    options = search.options
    if not options.do_sample:
        return most_likely
    noise = RowNoise.of(options, len(search.prompts), options.num_return_sequences)
    return Sampler(options, noise, warped=options.output_scores)


def decode_stepwise(state: DecodingState, search: Search) -> Decoded:
    """Greedy search, or as many samples of each source as are wanted."""
    copies = search.options.num_return_sequences
    choose = chooser(search)
    rows = search.rows(copies)
    logits = state.prefill()
    if copies > 1:
        state.expand(copies)
        logits = logits.repeat_interleave(copies, dim=0)
    collector = Collector(state, search, len(rows))
    while True:
        search.recorder.reports(rows.places)
        tokens = choose(search.scores(logits, rows), rows)
        rows.append(tokens)
        collector.stream(rows, tokens)
        over = search.stopping(rows)
        if bool(over.any()):
            collector.add(rows, over)
            if bool(over.all()):
                return collector.decoded()
            rows, copies = drop((state,), rows, over, copies)
            tokens = rows.last
        logits = state.step(tokens)


class Collector:
    """Gathers the texts that are over, and what the state knows of them, and streams all while they grow."""

    def __init__(self, state: DecodingState, search: Search, count: int) -> None:
        kept = search.options.return_dict_in_generate
        self._state = state if kept and isinstance(state, RememberingState) else None
        self._caches: list[DecoderCache] = []
        self._places: list[int] = []
        self._device = search.limits.device
        self._texts: list[Tensor | None] = [None] * count
        self._streamer = search.streamer
        self._pad = search.pad
        if self._streamer is not None:
            copies = count // len(search.prompts)
            self._streamer.put(search.prompts.padded.repeat_interleave(copies, dim=0).cpu())

    def add(self, rows: Rows, over: Tensor) -> None:
        """Take the new tokens of the rows that are ``over`` ``(R,)``."""
        ended = over.nonzero().flatten()
        for row in ended.tolist():
            self._texts[int(rows.places[row])] = rows.new_tokens(row)
        if self._state is not None:
            self._caches.append(self._state.remembered(ended))
            self._places += rows.places[ended].tolist()

    def stream(self, rows: Rows, tokens: Tensor) -> None:
        """Hand the newest tokens ``(R,)`` to the streamer, padding for texts that are over."""
        if self._streamer is not None:
            newest = torch.full((len(self._texts),), self._pad, device=tokens.device)
            newest[rows.places] = tokens
            self._streamer.put(newest.cpu())

    def stream_block(self, rows: Rows, counts: Tensor) -> None:
        """Hand the newest ``counts`` ``(1,)`` tokens of a single row to the streamer."""
        if self._streamer is not None:
            self._streamer.put(rows.suffixes(int(counts))[0].cpu())

    def decoded(self) -> Decoded:
        """All texts, when the last one is over."""
        if self._streamer is not None:
            self._streamer.end()
        return Decoded([text for text in self._texts if text is not None], cache=self._cache())

    def _cache(self) -> DecoderCache | None:
        """Of all texts, in their places."""
        if not self._caches:
            return None
        with torch.inference_mode(mode=False), torch.no_grad():
            joined = DecoderCache.joined(self._caches)
            order = [self._places.index(place) for place in range(len(self._texts))]
            if joined is None or order == list(range(joined.batch)):
                return joined
            return joined.of_rows(torch.tensor(order, device=self._device))
