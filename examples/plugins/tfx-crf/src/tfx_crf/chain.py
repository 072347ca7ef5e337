"""The chain's sums and maxima over all labellings of a text, without listing them."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

Reduce: TypeAlias = Callable[[Tensor], Tensor]
"""What is made of the ways to reach a label: ``(B, C, C) -> (B, C)``, over the labels before it."""


def total(ways: Tensor) -> Tensor:
    """All ways together: in log space, a sum of what they are worth."""
    return ways.logsumexp(dim=1)


def best(ways: Tensor) -> Tensor:
    """The best of the ways."""
    return ways.amax(dim=1)


def summed_up(scores: Tensor, mask: Tensor, transitions: Tensor, start: Tensor, reduce: Reduce) -> Tensor:
    """For every token and label, what reaches it from the beginning of its text: ``(B, S, C)``.

    ``scores`` ``(B, S, C)`` are of each token's labels, ``transitions`` ``(C, C)`` from a label to the next one,
    ``start`` ``(C,)`` of the first. Where ``mask`` ``(B, S)`` is false is no token: what was reached before stays.
    """
    first = mask & (mask.cumsum(dim=1) == 1)
    reached, all_reached = start.expand(len(scores), -1), []
    for score, real, begins in zip(scores.unbind(1), mask.unbind(1), first.unbind(1), strict=True):
        came = torch.where(begins[:, None], start, reduce(reached[:, :, None] + transitions))  # (B, C)
        reached = torch.where(real[:, None], came + score, reached)
        all_reached.append(reached)
    return torch.stack(all_reached, dim=1)


def log_partition(scores: Tensor, mask: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The log of the sum of what all labellings of each text are worth, ``(B,)``: the forward algorithm."""
    return (summed_up(scores, mask, transitions, start, total)[:, -1] + end).logsumexp(dim=-1)


def best_through(scores: Tensor, mask: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The score of the best labelling that gives this label to this token, ``(B, S, C)``; 0 where there is none.

    The highest labels of all tokens are the best labelling, Viterbi's; the others say how much worse any other is.
    """
    before = summed_up(scores, mask, transitions, start, best)
    after = summed_up(scores.flip(1), mask.flip(1), transitions.t(), end, best).flip(1)
    return (before + after - scores).masked_fill(~mask[..., None], 0.0)  # both have the token's own score
