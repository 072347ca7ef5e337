"""Drawing tokens at random, each row by its own seed.

Row ``i``'s token number ``t`` is drawn by inverting its distribution at the ``t``-th of row ``i``'s own uniform
numbers. They depend on the row's seed alone, so that a row's sample is the same in any batch, however many rows
finished before, and also when several tokens are verified at once.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tfx_core.generation.filters import filtered, heated, most_probable
from tfx_core.generation.options import GenerationOptions
from tfx_core.generation.rows import Rows
from tfx_core.generation.search import check_best

_BLOCK = 64


def row_seed(seed: int, row: int) -> int:
    """The seed of one row of a batch that was given ``seed``; pass such ones as ``seeds`` to divide the batch."""
    return int(np.random.SeedSequence(seed, spawn_key=(row,)).generate_state(1, np.uint64)[0])


class RowNoise:
    """Uniform numbers in [0, 1) for each row of the result, ``draws`` for each of its tokens.

    ``seeds``: one for each row of the batch; ``copies`` rows of the result have the same one and differ all the same.
    """

    def __init__(self, seeds: Sequence[int], copies: int = 1, draws: int = 1) -> None:
        self._draws = draws
        self._generators = [
            np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(copy,))))
            for seed in seeds
            for copy in range(copies)
        ]
        self._table = torch.empty(len(self._generators), 0, draws, dtype=torch.float64)

    @classmethod
    def of(cls, options: GenerationOptions, batch: int, copies: int = 1, draws: int = 1) -> "RowNoise":
        """The noise that the options ask for."""
        if options.seeds is not None:
            return cls(options.seeds, copies, draws)
        # torch's own generator is drawn from, not set: torch.manual_seed before the call makes the sample repeatable
        seed = options.seed if options.seed is not None else int(torch.randint(2**63 - 1, ()))
        return cls([row_seed(seed, row) for row in range(batch)], copies, draws)

    def at(self, places: Tensor, positions: Tensor) -> Tensor:
        """The numbers ``(R, draws)`` for new token ``positions`` ``(R,)`` of the rows ``places`` ``(R,)``."""
        places, wanted = places.cpu(), positions.cpu()
        while self._table.shape[1] <= int(wanted.max()):
            block = np.stack([generator.random((_BLOCK, self._draws)) for generator in self._generators])
            self._table = torch.cat((self._table, torch.from_numpy(block)), dim=1)
        return self._table[places, wanted].to(positions.device)


class Sampler:
    """Chooses tokens at random, filtered as the options say unless the scores are already `warped`."""

    def __init__(self, options: GenerationOptions, noise: RowNoise, *, warped: bool = False) -> None:
        self.options = options
        self.noise = noise
        self.warped = warped

    def __call__(self, scores: Tensor, rows: Rows) -> Tensor:
        """A token ``(R,)`` for each row of scores ``(R, V)``."""
        check_best(scores.amax(1), rows)
        index = None
        if not self.warped:
            scores = heated(scores, self.options)
            if self.options.top_k:
                # all that follows costs only as much as these few
                scores, index = most_probable(scores, self.options.top_k)
            scores = filtered(scores, self.options)
        drawn = inverted(scores.softmax(1), self.noise.at(rows.places, rows.new_lengths))
        return (drawn if index is None else index.gather(1, drawn)).squeeze(1)


def inverted(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """The index ``(R, 1)`` at which each row's cumulative probability first exceeds ``uniform`` ``(R, 1)``."""
    reached = probabilities.double().cumsum(1)
    # the product may round up to the total, behind which nothing is
    total = reached[:, -1:]
    wanted = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(reached, wanted, right=True)


def without_replacement(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Indices ``(R, n)`` drawn one after the other from ``(R, K)`` by ``uniform`` ``(R, n)``, none twice.

    Where fewer than ``n`` have a probability, the rest are the first of the others.
    """
    possible = max(int((probabilities > 0).sum(1).max()), uniform.shape[1])
    # what cannot be drawn is left away: filters leave little of a vocabulary
    index = probabilities.topk(possible).indices.sort(1).values
    left = probabilities.gather(1, index).double()
    taken = torch.zeros_like(left, dtype=torch.bool)
    drawn = []
    for number in range(uniform.shape[1]):
        choice = inverted(left, uniform[:, number : number + 1]).clamp(max=possible - 1)
        nothing_left = left.amax(1, keepdim=True) <= 0
        choice = torch.where(nothing_left, (~taken).to(torch.uint8).argmax(1, keepdim=True), choice)
        drawn.append(index.gather(1, choice))
        left.scatter_(1, choice, 0.0)
        taken.scatter_(1, choice, True)
    return torch.cat(drawn, dim=1)
