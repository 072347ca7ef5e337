"""Beam search, and sampling in it.

Follows transformers 4.57: in each step the best ``(1 + end tokens) · beams`` continuations of a source are looked at,
so that as many as there are beams can go on even if the others all end; of the first ``beams`` those that end are
finished texts, scored by their length. A source leaves the batch as soon as nothing better can come of it.

A beam of which nothing can come is dead, its score minus infinity: the source had fewer allowed continuations than
beams. The best beam of the source stands in for it, so that processors and conditions see open and allowed texts only.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tfx_core.generation.highest import highest
from tfx_core.generation.hypotheses import Hypothesis, decoded
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.output import Decoded
from tfx_core.generation.rows import Rows
from tfx_core.generation.sampling import RowNoise, without_replacement
from tfx_core.generation.search import Search, check_best, is_dead
from tfx_core.generation.state import DecodingState

DEAD = float("-inf")
"""The score of a beam of which nothing can come."""
_LAST = -1.0e9
"""The rank of what is no text; that of a text is half of it at least."""


def decode_beams(state: DecodingState, search: Search) -> Decoded:
    """Beam search over every source."""
    options = search.options
    beams = options.num_beams
    ahead = max(2, 1 + len(options.eos_ids)) * beams
    noise = RowNoise.of(options, len(search.prompts), draws=ahead) if options.do_sample else None
    rows = search.rows(beams)
    logits = state.prefill().repeat_interleave(beams, dim=0)
    state.expand(beams)
    running = Beams.begin(rows, len(search.prompts), beams)
    best = BestTexts(search, running)
    while True:
        search.recorder.reports(running.rows.places)
        scores = search.log_probabilities(logits, running.rows)
        totals = scores.view(-1, beams, scores.shape[1]).add_(running.scores[..., None]).flatten(1)  # (B, K·V)
        chosen, index = _continuations(totals, min(ahead, totals.shape[1]), noise, running, best.found)
        candidates = running.extended(chosen, index // scores.shape[1], index % scores.shape[1])
        over = search.stopping(candidates.rows).view_as(chosen)
        best.add(candidates, over)
        # what is over must not go on
        running = candidates.taken(chosen.masked_fill(over, DEAD).topk(beams))
        left = best.left(running, over).nonzero().flatten()
        if len(left) == 0:
            return best.decoded()
        if len(left) < len(chosen):
            state.select(left)
            running = running.select(left)
            best.select(left)
        reorder(state, running.parents)
        logits = state.step(running.rows.last)


@dataclass(frozen=True)
class Beams:
    """``K`` texts of each of ``B`` sources, the best first."""

    rows: Rows
    """``B · K`` of them."""
    scores: Tensor
    """``(B, K)``: sums of log-probabilities."""
    parents: Tensor
    """``(B, K)``: which of its source's rows each continues."""
    origins: Tensor
    """``(B, K, t)``: the row of the result's ``scores`` that each of the new tokens was chosen from."""

    @classmethod
    def begin(cls, rows: Rows, sources: int, beams: int) -> "Beams":
        """All beams of a source are its prompt: only the first one counts."""
        scores = torch.full((sources, beams), DEAD, device=rows.ids.device)
        scores[:, 0] = 0
        places = rows.places.view(sources, beams)
        return cls(rows, scores, places % beams, places[..., None][..., :0])

    @property
    def first(self) -> Tensor:
        """The first row of every source ``(B,)``."""
        return torch.arange(len(self.scores), device=self.scores.device) * self.scores.shape[1]

    def tokens(self, place: int) -> list[int]:
        """The newest tokens of the beams of one source."""
        beams = self.scores.shape[1]
        newest: list[int] = self.rows.last.view(-1, beams)[place].tolist()
        return newest

    def extended(self, scores: Tensor, parents: Tensor, tokens: Tensor) -> "Beams":
        """Continue the beams ``parents`` ``(B, n)`` with ``tokens`` ``(B, n)``, what is dead as the best goes on."""
        best, dead = scores.argmax(1, keepdim=True), is_dead(scores)
        parents = torch.where(dead, parents.gather(1, best), parents)
        tokens = torch.where(dead, tokens.gather(1, best), tokens)
        index = (self.first[:, None] + parents).flatten()
        rows = self.rows.take(index)
        origins = torch.cat((self.origins.flatten(0, 1)[index], rows.places[:, None]), dim=1)
        rows.append(tokens.flatten())
        return Beams(rows, scores, parents, origins.view(*scores.shape, -1))

    def taken(self, best: tuple[Tensor, Tensor]) -> "Beams":
        """The ones at ``(scores, index)`` ``(B, K)``, the best first, in the places of the source's beams."""
        scores, index = best
        index = torch.where(is_dead(scores), index[:, :1], index)
        flat = (self.first[:, None] + index).flatten()
        origins = self.origins.flatten(0, 1)[flat].view(*index.shape, -1)
        return Beams(self.rows.take(flat), scores, self.parents.gather(1, index), origins).settled()

    def settled(self) -> "Beams":
        """The same, with the places of the source's beams instead of the parents'."""
        count = self.scores.shape[1]
        numbers = torch.arange(count, device=self.scores.device)
        self.rows.places = (self.rows.sources.view(-1, count)[:, :1] * count + numbers).flatten()
        return self

    def select(self, sources: Tensor) -> "Beams":
        """Only these sources."""
        beams = self.scores.shape[1]
        index = (sources[:, None] * beams + torch.arange(beams, device=sources.device)).flatten()
        return Beams(self.rows.take(index), self.scores[sources], self.parents[sources], self.origins[sources])


class BestTexts:
    """The best finished texts of every source, ``K`` at most."""

    def __init__(self, search: Search, running: Beams) -> None:
        self.options: GenerationOptions = search.options
        batch, self.beams = running.scores.shape
        self.count = search.options.num_return_sequences
        device = running.scores.device
        self.scores = torch.full((batch, self.beams), DEAD, device=device)
        self.done = torch.zeros(batch, self.beams, dtype=torch.bool, device=device)
        # more may come of a source; once false it stays so
        self.open = torch.ones(batch, dtype=torch.bool, device=device)
        self.sources = torch.arange(batch, device=device)
        nothing = running.parents[0, :0], running.parents[0, :0]
        self.texts: list[list[tuple[Tensor, Tensor]]] = [[nothing] * self.beams for _ in range(batch)]
        self.result: list[tuple[list[tuple[Tensor, Tensor]], Tensor]] = [([], self.scores[0])] * batch

    @property
    def found(self) -> Tensor:
        """Which sources ``(B,)`` have a text."""
        return self.done.any(1)

    def add(self, candidates: Beams, over: Tensor) -> None:
        """Take of the candidates ``(B, n)`` those that are ``over`` and among the first ``K``, if they are better."""
        ended = over & ~is_dead(candidates.scores)
        ended[:, self.beams :] = False
        if not bool(ended.any()):
            return
        length = candidates.origins.shape[2]
        scores = candidates.scores / length**self.options.length_penalty
        # what is no text comes last; numbers instead of infinity leave the order of equal ones as in the reference
        known = torch.where(self.done, self.scores.clamp(min=_LAST / 2), _LAST)
        ranks = torch.where(ended, scores.clamp(min=_LAST / 2), scores + _LAST)
        index = torch.cat((known, ranks), dim=1).topk(self.beams).indices
        scores = scores.masked_fill(~ended, DEAD)
        self.scores = torch.cat((self.scores, scores), dim=1).gather(1, index)
        self.done = torch.cat((self.done, ended), dim=1).gather(1, index)
        for place, (row, kept) in enumerate(zip(self.texts, index.tolist(), strict=True)):
            if max(kept) < self.beams and kept == sorted(kept):
                continue
            base = place * over.shape[1] - self.beams
            self.texts[place] = [row[each] if each < self.beams else _text(candidates, base + each) for each in kept]

    def left(self, running: Beams, over: Tensor) -> Tensor:
        """Which sources ``(B,)`` are not done: called after `add` with the beams that would go on."""
        options, rows = self.options, running.rows
        made = running.origins.shape[2]
        length: Tensor | int = made
        if options.early_stopping == "never" and options.length_penalty > 0:
            # a longer text would score best if nothing were lost on the way
            length = (rows.limits - rows.prompt_lengths)[running.first]
        possible = running.scores[:, 0] / length**options.length_penalty
        self.open &= possible > self.scores.amin(1)
        full = self.done.all(1) & (options.early_stopping is True)
        return self.open & ~full & ~over.all(1)

    def select(self, sources: Tensor) -> None:
        """Only these sources go on; the others' texts are final."""
        kept = set(sources.tolist())
        for place, source in enumerate(self.sources.tolist()):
            if place not in kept:
                self.result[source] = self.texts[place], self.scores[place]
        self.texts = [self.texts[place] for place in sources.tolist()]
        self.scores, self.done = self.scores[sources], self.done[sources]
        self.open, self.sources = self.open[sources], self.sources[sources]

    def decoded(self) -> Decoded:
        """The ``num_return_sequences`` best of every source."""
        device = self.scores.device
        self.select(self.sources[:0])
        best = [
            [Hypothesis(score, *text) for text, score in zip(texts, scores.tolist(), strict=True) if score > DEAD]
            for texts, scores in self.result
        ]
        return decoded([texts[: self.count] for texts in best], self.count, device)


def _text(candidates: Beams, row: int) -> tuple[Tensor, Tensor]:
    """The new tokens of a row and where they came from."""
    return candidates.rows.new_tokens(row), candidates.origins.flatten(0, 1)[row]


def _continuations(
    totals: Tensor, count: int, noise: RowNoise | None, running: Beams, found: Tensor
) -> tuple[Tensor, Tensor]:
    """Scores and places ``(B, n)`` of the best or of drawn continuations among ``(B, K·V)``."""
    rows = running.rows.take(running.first)
    if noise is None:
        best, index = highest(totals, count)
        check_best(best[:, 0], rows, found)
        return best, index
    check_best(totals.amax(1), rows, found)
    uniform = noise.at(rows.sources, rows.new_lengths)
    probabilities = totals.softmax(1).nan_to_num()  # where all are dead, of a source that has its texts
    index = without_replacement(probabilities, uniform[:, :count])
    return totals.gather(1, index), index


def reorder(state: DecodingState, parents: Tensor) -> None:
    """Let the state's rows follow their texts, unless they are in place."""
    beams = parents.shape[1]
    if bool((parents == torch.arange(beams, device=parents.device)).all()):
        return
    state.reorder((torch.arange(len(parents), device=parents.device)[:, None] * beams + parents).flatten())
