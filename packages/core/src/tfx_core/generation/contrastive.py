"""Contrastive search (arXiv 2202.06417): the most probable token that does not repeat what the text says already."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from tfx_core.errors import InputError
from tfx_core.generation.highest import highest
from tfx_core.generation.output import Decoded
from tfx_core.generation.rows import Rows
from tfx_core.generation.search import Search, check_best, is_dead
from tfx_core.generation.state import DecodingState, RevealingState
from tfx_core.generation.stepwise import Collector


def decode_contrastive(state: DecodingState, search: Search) -> Decoded:
    """Among the ``top_k`` most probable tokens take that of the highest ``(1 - α) p - α max cos(state, context)``.

    The states of all candidates come from one step on as many rows, of which the chosen one goes on.
    """
    if not isinstance(state, RevealingState):
        raise InputError(f"{type(state).__name__} does not show hidden states: contrastive search needs them")
    rows, collector = search.rows(), Collector(state, search, len(search.prompts))
    logits, hidden, mask = state.prefill_with_hidden()
    context = Context(hidden, mask)
    while True:
        probabilities, candidates = _most_probable(search, logits, rows)
        count = candidates.shape[1]
        state.expand(count)
        logits, hidden = state.step_with_hidden(candidates.flatten())
        likeness = context.likeness(hidden.view(len(rows), count, -1))
        alpha = search.options.penalty_alpha or 0.0
        chosen = ((1 - alpha) * probabilities - alpha * likeness).argmax(1)
        index = chosen + torch.arange(len(rows), device=chosen.device) * count
        state.reorder(index)
        logits, hidden = logits[index], hidden[index]
        tokens = candidates.gather(1, chosen[:, None]).squeeze(1)
        rows.append(tokens)
        collector.stream(rows, tokens)
        context.append(hidden)
        over = search.stopping(rows)
        if bool(over.any()):
            collector.add(rows, over)
            if bool(over.all()):
                return collector.decoded()
            left = (~over).nonzero().flatten()
            state.select(left)
            context.select(left)
            rows, logits = rows.take(left), logits[left]


class Context:
    """The directions ``(R, S, D)`` of all tokens' hidden states so far; ``mask`` ``(R, S)`` is false at padding."""

    def __init__(self, hidden: Tensor, mask: Tensor) -> None:
        self._directions = normalize(hidden.float(), dim=-1)
        self._outside = mask == 0
        self._length = hidden.shape[1]

    def likeness(self, hidden: Tensor) -> Tensor:
        """The greatest cosine ``(R, k)`` of each candidate's state ``(R, k, D)`` with one of the row's tokens."""
        known = self._directions[:, : self._length]
        cosines = normalize(hidden.float(), dim=-1) @ known.transpose(1, 2)  # (R, k, S)
        return cosines.masked_fill(self._outside[:, None, : self._length], float("-inf")).amax(2)

    def append(self, hidden: Tensor) -> None:
        """Add the state ``(R, D)`` of each row's new token."""
        if self._length == self._directions.shape[1]:
            room = self._length + 16
            self._directions = torch.nn.functional.pad(self._directions, (0, 0, 0, room))
            self._outside = torch.nn.functional.pad(self._outside, (0, room))
        self._directions[:, self._length] = normalize(hidden.float(), dim=-1)
        self._length += 1

    def select(self, rows: Tensor) -> None:
        """Keep only these rows."""
        self._directions, self._outside = self._directions[rows], self._outside[rows]


def _most_probable(search: Search, logits: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
    """Probabilities and ids ``(R, k)`` of the candidates."""
    scores = search.scores(logits, rows).float()
    best, candidates = highest(scores, min(search.options.top_k, scores.shape[1]))
    check_best(best[:, 0], rows)
    # the best stands in for what is banned, which an unlikely state could make the choice
    dead = is_dead(best)
    best, candidates = torch.where(dead, best[:, :1], best), torch.where(dead, candidates[:, :1], candidates)
    return (best - scores.logsumexp(1, keepdim=True)).exp(), candidates
