"""What is predicted of a text and in which order it is read: pure functions over arrays and a generator.

Yang et al. 2019, §2.3, §2.4 and appendix A.6; ``data_utils.py`` of zihangdai/xlnet.
"""

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_training.corpus.tokens import Flags


def sampled_spans(
    usual: Flags,
    word_starts: Flags,
    count: int | None,
    generator: np.random.Generator,
    *,
    longest: int = 5,
    alpha: int = 6,
    beta: int = 1,
) -> Flags:
    """Which of ``n`` tokens are predicted, ``(n,)``: ``count`` of the ``usual`` ones, which are not special.

    Spans begin with a word and have 1 to ``longest`` tokens, as often as 1/n says; around each are ``alpha`` tokens for
    every ``beta`` of its own, of which a number drawn stands before it (``_sample_mask``; as in what the code does,
    and the paper says, a span's length counts tokens). Where that gives less than ``count``, single tokens make up for
    it; with ``None`` nothing does. Unlike there no special token is chosen, so that there are always ``count``. Raises
    `InputError` for more than there are.
    """
    length, chosen = len(usual), np.zeros(len(usual), dtype=np.bool_)
    if count is not None and count > usual.sum():
        raise InputError(f"{count} tokens to predict: there are only {usual.sum()} that are not special")
    starts = np.flatnonzero(usual & word_starts)
    odds = np.cumsum(1 / np.arange(1, longest + 1))
    place, left = 0, length if count is None else count
    while left:
        size = min(left, int(np.searchsorted(odds, generator.random() * odds[-1], side="right")) + 1)
        context = size * alpha // beta
        before = int(generator.integers(max(1, context)))
        found = int(np.searchsorted(starts, place + before))
        if found == len(starts) or starts[found] + size > length:
            break
        begin, end = int(starts[found]), int(starts[found]) + size
        chosen[begin:end] = usual[begin:end]
        left -= int(usual[begin:end].sum())
        place = end + context - before
    if count is not None:
        chosen[generator.choice(np.flatnonzero(usual & ~chosen), left, replace=False)] = True
    return chosen


def local_permutation(targets: Flags, usual: Flags, size: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Which tokens are hidden from which, ``(n, n)``, by an order of reading drawn for every ``size`` of them.

    What is neither predicted nor special comes before everything else, so all see it, and it sees nothing else. The
    others see those before them in the order; special tokens themselves too, targets do not (``_local_perm``). Raises
    `InputError` where the tokens are no multiple of ``size``.
    """
    if len(targets) % size:
        raise InputError(f"permutation={size}: must divide the {len(targets)} tokens that are permuted")
    order = np.concatenate([begin + generator.permutation(size) for begin in range(0, len(targets), size)])
    ordered = targets | ~usual
    rank = np.where(ordered, order, -1)
    sees_below = np.where(targets, rank, rank + 1)
    return (sees_below[:, None] <= rank) & ordered


def permutation_of_halves(
    targets: Flags, usual: Flags, reuse: int, size: int, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """The same of the first ``reuse`` tokens, and of the others, which see all of those and are not seen by them."""
    hidden = np.zeros((len(targets), len(targets)), dtype=np.bool_)
    hidden[:reuse, reuse:] = True
    for part in (slice(reuse), slice(reuse, None)):
        hidden[part, part] = local_permutation(targets[part], usual[part], size, generator)
    return hidden
