"""Group beam search (arXiv 1610.02424): groups of beams that avoid each other's tokens. Follows transformers 4.51."""

import torch
from torch import Tensor

from tfx_core.generation.beam import WORST, Beams, log_probabilities, reorder
from tfx_core.generation.highest import highest
from tfx_core.generation.hypotheses import Hypotheses, best_of, decoded
from tfx_core.generation.output import Decoded
from tfx_core.generation.search import Search, check_best
from tfx_core.generation.state import DecodingState


def decode_groups(state: DecodingState, search: Search) -> Decoded:
    """Group beam search over every source."""
    options = search.options
    beams, batch = options.num_beams, len(search.prompts)
    size = beams // options.num_beam_groups
    logits = state.prefill().repeat_interleave(beams, dim=0)
    state.expand(beams)
    running = Beams.begin(search.rows(beams), batch, beams)
    running.scores[:, ::size] = 0  # the first beam of each group counts
    longest = (search.limits - search.prompts.lengths).tolist()
    kept = [[Hypotheses(options, size, longest[row]) for _ in range(options.num_beam_groups)] for row in range(batch)]
    done = torch.zeros(batch, options.num_beam_groups, dtype=torch.bool)
    while True:
        turn = Turn(search, running, logits, size)
        for group in range(options.num_beam_groups):
            turn.take(group, kept, done)
        running = turn.result()
        over = search.stopping.expired(running.rows).view(-1, beams).all(1).cpu()
        sources = running.rows.sources[running.first].tolist()
        for place in over.nonzero().flatten().tolist():
            for group in (~done[sources[place]]).nonzero().flatten().tolist():
                for rank in range(group * size, (group + 1) * size):
                    kept[sources[place]][group].add(running, place, rank)
        left = (~(over | done[sources].all(1))).nonzero().flatten()
        if not len(left):
            return decoded([best_of(groups, options.num_return_sequences) for groups in kept], logits.device)
        if len(left) < len(over):
            left = left.to(logits.device)
            state.select(left)
            running = running.select(left)
        reorder(state, running.parents)
        logits = state.step(running.rows.last)


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

    def take(self, group: int, kept: list[list[Hypotheses]], done: Tensor) -> None:
        """Choose the group's continuations, and keep its finished texts in ``kept[source][group]``."""
        options, running, size = self.search.options, self.running, self.size
        members = slice(group * size, (group + 1) * size)
        index = (running.first[:, None] + torch.arange(size, device=running.scores.device) + members.start).flatten()
        rows = running.rows.take(index)
        if self.avoided:
            rows.avoided = torch.cat(self.avoided, dim=1).repeat_interleave(size, dim=0)
        scores = log_probabilities(self.search, self.logits[:, members].flatten(0, 1), rows)
        vocabulary = scores.shape[1]
        totals = (scores.view(-1, size, vocabulary) + running.scores[:, members, None]).flatten(1)
        ahead = min(max(2, 1 + len(options.eos_ids)) * size, totals.shape[1])
        best, index = highest(totals, ahead)
        sources = running.rows.sources[running.first].cpu()
        over = done[sources, group]
        check_best(best[:, 0].masked_fill(over.to(best.device), 0.0), running.rows.take(running.first))
        parents, tokens = index // vocabulary + members.start, index % vocabulary
        candidates = running.extended(best, parents, tokens)
        ended = self.search.stopping.ended(candidates.rows).view_as(best)
        length = candidates.origins.shape[2]
        for place, source in enumerate(sources.tolist()):
            if not over[place]:
                for rank in ended[place, :size].nonzero().flatten().tolist():
                    kept[source][group].add(candidates, place, rank)
                done[source, group] = kept[source][group].complete(float(best[place, 0]), length)
        going = ended.to(torch.uint8).argsort(dim=1, stable=True)[:, :size]
        # only where nearly all continuations complete a stop string does an ended one go on, and it must not win
        self.scores.append((best + ended * WORST).gather(1, going))
        self.parents.append(parents.gather(1, going))
        self.tokens.append(tokens.gather(1, going))
        self.avoided.append(self.tokens[-1].masked_fill(over[:, None].to(best.device), self.search.pad))

    def result(self) -> Beams:
        """The beams of all groups that go on."""
        scores, parents = torch.cat(self.scores, dim=1), torch.cat(self.parents, dim=1)
        return self.running.extended(scores, parents, torch.cat(self.tokens, dim=1)).settled()
