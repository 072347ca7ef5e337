"""Filters: which tokens a sample may be drawn from.

Each takes scores ``(R, K)`` of any candidates and returns them with those taken out at minus infinity; at least
``keep`` candidates of each row stay. They depend only on the softmax of the scores, so that candidates taken out
before may be left away altogether, and none depends on another row.
"""

from torch import Tensor

from tfx_core.generation.highest import highest
from tfx_core.generation.options import GenerationOptions

OUT = float("-inf")
_NUCLEUS = 256
_MOST_BY_ENTROPY = 100
_CLOSE = 1e-5
"""Sums of float32 probabilities that are farther apart are never taken for each other."""


def most_probable(scores: Tensor, count: int, keep: int = 1) -> tuple[Tensor, Tensor]:
    """The candidates that `top_k` keeps, in their order: scores ``(R, K)`` and where they stood.

    ``K`` is what the row with most ties at the border needs; the others have minus infinity besides.
    """
    count = min(max(count, keep), scores.shape[1])
    values, index = highest(scores, min(count + 1, scores.shape[1]))
    border = values[:, count - 1 : count]
    if bool(((values[:, count:] < border) | (border == OUT)).all()):
        index = index[:, :count]
    else:
        ties = (scores >= border) & (scores > OUT)
        index = highest(scores, int(ties.sum(1).max())).indices
    index = index.sort(1).values
    inside = scores.gather(1, index)
    return inside.masked_fill(inside < border, OUT), index


def top_k(scores: Tensor, count: int, keep: int = 1) -> Tensor:
    """Keep the ``count`` highest scores and what ties with the last of them."""
    border = highest(scores, min(max(count, keep), scores.shape[1])).values[:, -1:]
    return scores.masked_fill(scores < border, OUT)


def top_p(scores: Tensor, mass: float, keep: int = 1) -> Tensor:
    """Keep the fewest most probable tokens that together have this mass; of equal ones at the border the first.

    A token is left out where it and all less probable ones have ``1 - mass`` at most: the last one that is needed may
    meet the mass exactly. Rounded sums decide that, so where they are close they are summed as the reference does.
    """
    size = scores.shape[1]
    total = scores.logsumexp(1, keepdim=True)
    count = min(_NUCLEUS, size)
    while True:
        # the nucleus is small as a rule: sort only as many as it needs
        best = highest(scores, count).values
        reached = (best - total).exp().cumsum(1)
        if count == size or bool((reached[:, -1] >= mass + _CLOSE).all()):
            break
        count = min(8 * count, size)
    last = (reached < mass).sum(1, keepdim=True)
    if bool(((reached - mass).abs() < _CLOSE).any()):
        best = scores.sort(1, descending=True).values
        last = size - 1 - (best.flip(1).softmax(1).cumsum(1) <= 1 - mass).sum(1, keepdim=True)
    last = last.clamp(min=keep - 1, max=best.shape[1] - 1)
    border = best.gather(1, last)
    stays = scores >= border
    # sorting leaves the order of equal scores open: count them off in the vocabulary's
    room = last + 1 - (best > border).sum(1, keepdim=True)
    equal = scores == border
    if bool((equal.sum(1, keepdim=True) > room).any()):
        stays &= ~equal | (equal.cumsum(1) <= room)
    return scores.masked_fill(~stays, OUT)


def min_p(scores: Tensor, share: float, keep: int = 1) -> Tensor:
    """Keep tokens with at least this share of the most probable one's probability."""
    probabilities = scores.softmax(1)
    return _without(scores, probabilities < share * probabilities.max(1, keepdim=True).values, keep)


def top_h(scores: Tensor, share: float, keep: int = 1) -> Tensor:
    """Keep the most probable tokens whose terms of the entropy together are at most this share of all, among 100."""
    best = highest(scores, min(_MOST_BY_ENTROPY, scores.shape[1])).values
    logs = best.log_softmax(1)
    reached = -(logs * logs.exp()).nan_to_num().cumsum(1)
    last = (reached <= share * reached[:, -1:]).sum(1, keepdim=True) - 1
    border = best.gather(1, last.clamp(min=min(keep, best.shape[1]) - 1))
    return scores.masked_fill(scores < border, OUT)


def typical_p(scores: Tensor, mass: float, keep: int = 1) -> Tensor:
    """Keep the tokens whose information is closest to the expected one and that together have this mass."""
    logs = scores.log_softmax(1)
    probabilities = logs.exp()
    entropy = -(logs * probabilities).nansum(1, keepdim=True)
    distance, order = (-logs - entropy).abs().sort(dim=1, stable=True)
    reached = probabilities.gather(1, order).cumsum(1)
    last = (reached < mass).sum(1, keepdim=True).clamp(max=scores.shape[1] - 1)
    out = distance > distance.gather(1, last)
    out[:, :keep] = False
    return scores.masked_fill(out.scatter(1, order, out), OUT)


def epsilon(scores: Tensor, least: float, keep: int = 1) -> Tensor:
    """Keep tokens of at least this probability."""
    return _without(scores, scores.softmax(1) < least, keep)


def eta(scores: Tensor, least: float, keep: int = 1) -> Tensor:
    """Keep tokens of at least this probability, or ``sqrt(least) · exp(-entropy)`` where that is lower."""
    logs = scores.log_softmax(1)
    entropy = -(logs * logs.exp()).nansum(1, keepdim=True)
    border = (least**0.5 * (-entropy).exp()).clamp(max=least)
    return _without(scores, logs.exp() < border, keep)


def heated(scores: Tensor, options: GenerationOptions, keep: int = 1) -> Tensor:
    """Temperature, and the filter that comes before ``top_k``."""
    if options.temperature != 1:
        scores = scores / options.temperature
    return scores if options.top_h is None else top_h(scores, options.top_h, keep)


def filtered(scores: Tensor, options: GenerationOptions, keep: int = 1) -> Tensor:
    """All filters behind ``top_k`` that the options ask for, in the reference library's order."""
    if options.top_p < 1:
        scores = top_p(scores, options.top_p, keep)
    if options.min_p is not None:
        scores = min_p(scores, options.min_p, keep)
    if options.typical_p < 1:
        scores = typical_p(scores, options.typical_p, keep)
    if 0 < options.epsilon_cutoff < 1:
        scores = epsilon(scores, options.epsilon_cutoff, keep)
    if 0 < options.eta_cutoff < 1:
        scores = eta(scores, options.eta_cutoff, keep)
    return scores


def warped(scores: Tensor, options: GenerationOptions, keep: int = 1) -> Tensor:
    """Temperature and all filters on the scores ``(R, V)`` of the whole vocabulary."""
    scores = heated(scores, options, keep)
    if options.top_k:
        scores = top_k(scores, options.top_k, keep)
    return filtered(scores, options, keep)


def _without(scores: Tensor, out: Tensor, keep: int) -> Tensor:
    """Take candidates out, but never the ``keep`` best or what ties with the last of them."""
    border = highest(scores, min(keep, scores.shape[1])).values[:, -1:]
    return scores.masked_fill(out & (scores < border), OUT)
