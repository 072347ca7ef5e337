"""Fragments of a text, one in each block of it: pure functions over ids and a generator.

Song et al. 2019 (MASS), §3.1, with the blocks of Qi et al. 2020, §3.1; ``MASS-summarization/mass/masked_dataset.py`` of
microsoft/MASS, which ProphetNet was pretrained with.
"""

import numpy as np

from tfx_training.corpus.tokens import Ids


def fragments(length: int, generator: np.random.Generator, *, share: float = 0.15, block: int = 64) -> Ids:
    """The places of hidden tokens ``(n,)``, ascending: one fragment of each block, anywhere in it.

    A fragment is ``share`` of its block, rounded down, 9 of 64 tokens; a block at the end that is too short for one
    token has none. The first token of a text stands before all blocks, for a fragment is predicted from what precedes.
    """
    places = [np.zeros(0, dtype=np.int64)]
    for begin in range(1, length, block):
        size = min(block, length - begin)
        hidden = int(size * share)
        first = begin + int(generator.integers(size - hidden + 1))
        places.append(np.arange(first, first + hidden))
    return np.concatenate(places)


def places_in_fragments(places: Ids) -> Ids:
    """For each hidden token the number of those before it in its fragment, ``(n,)``."""
    begins = np.flatnonzero(np.diff(places, prepend=-1) != 1)
    numbers = np.arange(len(places))
    return numbers - begins[np.searchsorted(begins, numbers, side="right") - 1]
