"""Group beam search (arXiv 1610.02424): groups of beams that avoid each other's tokens. Follows transformers 4.51."""

import torch
from torch import Tensor

from tfx_core.generation.beam import DEAD, Beams, reorder
from tfx_core.generation.highest import highest
from tfx_core.generation.hypotheses import Hypotheses, best_of, decoded
from tfx_core.generation.output import Decoded
from tfx_core.generation.search import Search, check_best, is_dead
from tfx_core.generation.state import DecodingState


def decode_groups(state: DecodingState, search: Search) -> Decoded:
    """Group beam search over every source."""
    options = search.options
    beams, wanted, batch = options.num_beams, options.num_return_sequences, len(search.prompts)
    size = beams // options.num_beam_groups
    logits = state.prefill().repeat_interleave(beams, dim=0)
    state.expand(beams)
    running = Beams.begin(search.rows(beams), batch, beams)
    running.scores[:, ::size] = 0  # the first beam of each group counts
    longest = (search.limits - search.prompts.lengths).tolist()
    kept = [[Hypotheses(options, size, room) for _ in range(options.num_beam_groups)] for room in longest]
    going = kept
    while True:
        search.recorder.reports(running.rows.places)
        turn = Turn(search, running, logits, size)
        for group in range(options.num_beam_groups):
            turn.take(group, [groups[group] for groups in going])
        running = turn.result(going)
        over = search.stopping.expired(running.rows).view(-1, beams).all(1).tolist()
        for place, groups in enumerate(going):
            if over[place]:
                _close(groups, running, place, size)
        left = [place for place, groups in enumerate(going) if not (over[place] or all(each.done for each in groups))]
        if not left:
            return decoded([best_of(groups, wanted) for groups in kept], wanted, logits.device)
        if len(left) < len(going):
            going = [going[place] for place in left]
            index = torch.tensor(left, device=logits.device)
            state.select(index)
            running = running.select(index)
        reorder(state, running.parents)
        logits = state.step(running.rows.last)


def _close(groups: list[Hypotheses], beams: Beams, place: int, size: int) -> None:
    """Keep the beams of a source that may not go on, but for groups that are done."""
    dead = is_dead(beams.scores[place]).tolist()
    for group, texts in enumerate(groups):
        if not texts.done:
            for rank in range(group * size, (group + 1) * size):
                if not dead[rank]:
                    texts.add(beams, place, rank)


class Turn:
    """One step of all groups, each after the ones before it."""

    def __init__(self, search: Search, running: Beams, logits: Tensor, size: int) -> None:
        self.search = search
        self.running = running
        self.logits = logits.view(*running.scores.shape, -1)
        self.size = size
        self.scores: list[Tensor] = []
        self.parents: list[Tensor] = []
        self.tokens: list[Tensor] = []
        # what later groups must avoid; a group that is done counts with the padding token
        self.avoided: list[Tensor] = []

    def take(self, group: int, kept: list[Hypotheses]) -> None:
        """Choose the group's continuations, and keep its finished texts, those of each source."""
        options, running, size = self.search.options, self.running, self.size
        members = slice(group * size, (group + 1) * size)
        index = (running.first[:, None] + torch.arange(size, device=running.scores.device) + members.start).flatten()
        rows = running.rows.take(index)
        if self.avoided:
            rows.avoided = torch.cat(self.avoided, dim=1).repeat_interleave(size, dim=0)
        scores = self.search.log_probabilities(self.logits[:, members].flatten(0, 1), rows)
        vocabulary = scores.shape[1]
        totals = (scores.view(-1, size, vocabulary) + running.scores[:, members, None]).flatten(1)
        ahead = min(max(2, 1 + len(options.eos_ids)) * size, totals.shape[1])
        best, index = highest(totals, ahead)
        done = torch.tensor([texts.done for texts in kept], device=best.device)
        dead = is_dead(best)
        check_best(best[:, 0].masked_fill(done | dead[:, 0], 0.0), running.rows.take(running.first))
        parents, tokens = index // vocabulary + members.start, index % vocabulary
        candidates = running.extended(best, parents, tokens)
        ended = self.search.stopping.ended(candidates.rows).view_as(best) & ~dead
        going = ended.to(torch.uint8).argsort(dim=1, stable=True)[:, :size]
        self.scores.append(best.masked_fill(ended, DEAD).gather(1, going))
        self.parents.append(parents.gather(1, going))
        self.tokens.append(tokens.gather(1, going))
        over = is_dead(self.scores[-1])
        chosen = self.tokens[-1].masked_fill(over, -1)
        self.avoided.append(chosen.masked_fill(done[:, None], self.search.pad))
        length = candidates.origins.shape[2]
        for place, texts in enumerate(kept):
            if not texts.done:
                for rank in ended[place, :size].nonzero().flatten().tolist():
                    texts.add(candidates, place, rank)
                texts.done = bool(over[place].all()) or texts.complete(float(best[place, 0]), length)

    def result(self, kept: list[list[Hypotheses]]) -> Beams:
        """The beams of all groups that go on; raises `InputError` where there are none and no text was ``kept``."""
        scores, parents = torch.cat(self.scores, dim=1), torch.cat(self.parents, dim=1)
        found = [any(texts.texts for texts in groups) for groups in kept]
        rows = self.running.rows.take(self.running.first)
        check_best(scores.amax(1), rows, torch.tensor(found, device=scores.device))
        return self.running.extended(scores, parents, torch.cat(self.tokens, dim=1)).settled()
