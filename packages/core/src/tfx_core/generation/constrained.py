"""Constrained beam search: outputs that contain given words. Follows transformers 4.51, with two differences.

Beside the best continuations of all beams, every beam is continued with each token that brings it closer to meeting its
constraints. The candidates are divided into banks of equal progress (arXiv 1804.06609), and the next beams are taken
from all banks in turn, the best of each first. Only texts that meet all constraints are finished.

The differences: a banned token takes no place of a beam; and a text that misses a word is returned only where fewer
texts than asked for have them all, and with a warning, where in transformers it may take the place of a less likely one
that has them.
"""

import warnings
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor

from tfx_core.errors import InputError
from tfx_core.generation.beam import DEAD, Beams, reorder
from tfx_core.generation.constraints import ConstraintProgress
from tfx_core.generation.highest import highest
from tfx_core.generation.hypotheses import Hypotheses, Hypothesis, best_of, decoded
from tfx_core.generation.output import Decoded
from tfx_core.generation.search import Search, check_best, is_dead
from tfx_core.generation.state import DecodingState


def decode_constrained(state: DecodingState, search: Search) -> Decoded:
    """Constrained beam search over every source."""
    beams = search.options.num_beams
    nothing = ConstraintProgress.begin(search.options.conditions)
    sources = [Source(search, nothing, place) for place in range(len(search.prompts))]
    logits = state.prefill().repeat_interleave(beams, dim=0)
    state.expand(beams)
    running = Beams.begin(search.rows(beams), len(sources), beams)
    going = sources
    while True:
        running = _next(search, going, running, logits)
        over = search.stopping.expired(running.rows).view(-1, beams).all(1).tolist()
        for place, source in enumerate(going):
            if over[place] and not source.done:
                source.close(running, place)
        left = [place for place, source in enumerate(going) if not (over[place] or source.done)]
        if not left:
            return decoded([source.best() for source in sources], search.options.num_return_sequences, logits.device)
        if len(left) < len(going):
            going = [going[place] for place in left]
            index = torch.tensor(left, device=logits.device)
            state.select(index)
            running = running.select(index)
        reorder(state, running.parents)
        logits = state.step(running.rows.last)


def _next(search: Search, going: list["Source"], running: Beams, logits: Tensor) -> Beams:
    """The beams of the next step; what has ended is kept by its source."""
    search.recorder.reports(running.rows.places)
    scores = search.log_probabilities(logits, running.rows)
    beams, vocabulary = search.options.num_beams, scores.shape[1]
    totals = scores.view(-1, beams, vocabulary).add_(running.scores[..., None])
    ahead = min(max(2, 1 + len(search.options.eos_ids)) * beams, beams * vocabulary)
    best, index = highest(totals.flatten(1), ahead)
    found = torch.tensor([bool(source.met.texts) for source in going], device=best.device)
    check_best(best[:, 0], running.rows.take(running.first), found)
    candidates = running.extended(best, index // vocabulary, index % vocabulary)
    ended = search.stopping.ended(candidates.rows).view_as(best).tolist()
    texts = running.rows.ids[:, : running.rows.width].view(len(going), beams, -1).tolist()
    chosen = []
    for place, source in enumerate(going):
        source.finish(candidates, place, ended[place])
        following = source.candidates(candidates, place, ended[place])
        chosen.append(source.choose(following, totals[place], [tuple(text) for text in texts[place]]))
    return _continued(running, chosen)


@dataclass(frozen=True)
class Candidate:
    """A beam with one more token."""

    parent: int
    token: int
    score: float
    progress: ConstraintProgress


class Source:
    """One row of the batch: how far its beams are, and what is finished."""

    def __init__(self, search: Search, nothing: ConstraintProgress, number: int) -> None:
        self.options = search.options
        self.number = number
        # nothing is left to go on with
        self.exhausted = False
        beams, length = self.options.num_beams, int(search.prompts.lengths[number])
        for token in search.prompts.ids[number, :length].tolist():
            nothing = nothing.after(token)
        self.progress = [nothing] * beams
        room = int(search.limits[number]) - length
        self.met = Hypotheses(self.options, beams, room)
        self.unmet = Hypotheses(self.options, beams, room)

    @property
    def done(self) -> bool:
        """Whether nothing better can come of it."""
        return self.met.done or self.exhausted

    def candidates(self, beams: Beams, place: int, ended: list[bool]) -> list[Candidate]:
        """The best continuations that have not ended, one for each beam as far as there are any."""
        following: list[Candidate] = []
        parents, tokens = beams.parents[place].tolist(), beams.tokens(place)
        dead = is_dead(beams.scores[place]).tolist()
        for rank, score in enumerate(beams.scores[place].tolist()):
            if not (ended[rank] or dead[rank]) and len(following) < self.options.num_beams:
                parent, token = parents[rank], tokens[rank]
                following.append(Candidate(parent, token, score, self.progress[parent].after(token)))
        return following

    def finish(self, beams: Beams, place: int, ended: list[bool]) -> None:
        """Keep the best continuations that have ended and meet all constraints."""
        parents, tokens = beams.parents[place].tolist(), beams.tokens(place)
        dead = is_dead(beams.scores[place]).tolist()
        for rank in range(self.options.num_beams):
            if ended[rank] and not dead[rank] and self.progress[parents[rank]].after(tokens[rank]).complete:
                self.met.add(beams, place, rank)
        self.met.done = self.met.complete(float(beams.scores[place, 0]), beams.origins.shape[2])

    def choose(self, following: list[Candidate], totals: Tensor, texts: list[tuple[int, ...]]) -> list[Candidate]:
        """The next beams among ``following`` and those that make progress; ``totals`` ``(K, V)``.

        Raises `InputError` where there are none, and no text was finished.
        """
        beams, dead = self.options.num_beams, is_dead(totals)
        seen = {(texts[each.parent], each.token) for each in following}
        every = list(following)
        for parent, progress in enumerate(self.progress):
            for token in progress.following():
                if token >= totals.shape[1]:
                    raise InputError(f"forced word: token {token} is outside the vocabulary of {totals.shape[1]}")
                if not dead[parent, token] and (texts[parent], token) not in seen:
                    seen.add((texts[parent], token))
                    every.append(Candidate(parent, token, float(totals[parent, token]), progress.after(token)))
        chosen = (_in_turn(every) if len(every) > len(following) else every)[:beams]
        self.exhausted = not chosen
        if self.exhausted and not self.met.texts:
            raise InputError(f"row {self.number}: no text that may be written has all forced words")
        best = max(chosen, key=lambda each: each.score, default=Candidate(0, 0, DEAD, self.progress[0]))
        chosen += [replace(best, score=DEAD)] * (beams - len(chosen))
        self.progress = [each.progress for each in chosen]
        return chosen

    def close(self, beams: Beams, place: int) -> None:
        """Keep the beams that may not go on."""
        dead = is_dead(beams.scores[place]).tolist()
        for rank, progress in enumerate(self.progress):
            if not dead[rank]:
                (self.met if progress.complete else self.unmet).add(beams, place, rank)

    def best(self) -> list[Hypothesis]:
        """The texts to return."""
        count = self.options.num_return_sequences
        best = best_of([self.met], count)
        others = best_of([self.unmet], count - len(best))
        if others:
            warnings.warn(
                f"{len(others)} of {count} texts lack forced words: too few tokens are allowed, or too few beams",
                stacklevel=2,
            )
        return best + others


def _in_turn(candidates: list[Candidate]) -> list[Candidate]:
    """The best of each bank, then the second best of each, and so on; the fullest banks first."""
    banks = torch.tensor([each.progress.bank for each in candidates])
    # a bank is worth more than any score
    order = (banks * 100 + torch.tensor([each.score for each in candidates])).sort(descending=True).indices.tolist()
    ordered = [candidates[each] for each in order]
    banked = (list(bank) for _, bank in groupby(ordered, key=lambda each: each.progress.bank))
    turns = [turn for bank in banked for turn in range(len(bank))]
    return [ordered[place] for place in sorted(range(len(ordered)), key=turns.__getitem__)]


def _continued(running: Beams, chosen: list[list[Candidate]]) -> Beams:
    device = running.scores.device
    scores = torch.tensor([[each.score for each in beams] for beams in chosen], device=device)
    parents = torch.tensor([[each.parent for each in beams] for beams in chosen], device=device)
    tokens = torch.tensor([[each.token for each in beams] for beams in chosen], device=device)
    return running.extended(scores, parents, tokens).settled()
