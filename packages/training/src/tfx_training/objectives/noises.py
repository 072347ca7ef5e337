"""The five noises of BART, each a function of tokens and a generator (Lewis et al. 2020, §2.2).

Of a text ⌈rate · words⌉ words are hidden; tokens each of which is a word (`Tokens.of`) are hidden one by one.
Source: fairseq, ``fairseq/data/denoising_dataset.py``. Spans there may overlap and run over the end, so that fewer
words are hidden than was asked for; here none does. Masks of no words stand between words here, there also within
them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfx_training.corpus import Tokens
from tfx_training.corpus.tokens import Flags, Ids, Places


class Masks(NamedTuple):
    """What stands for what is hidden."""

    token: int
    """The mask token."""

    others: Ids
    """``(n,)``, tokens of which any may stand there instead."""

    random: float = 0.0
    """How often one of those does."""

    def drawn(self, count: int, generator: np.random.Generator) -> Ids:
        """``(count,)``"""
        others = generator.choice(self.others, count)
        return np.where(generator.random(count) < self.random, others, self.token)


def word_numbers(tokens: Tokens) -> Places:
    """``(n,)``, the number of each token's word; what there is before the first start is a word, too."""
    starts = tokens.word_starts.copy()
    starts[:1] = True
    return np.cumsum(starts, dtype=np.int64) - 1


def chosen_words(tokens: Tokens, rate: float, generator: np.random.Generator) -> Flags:
    """``(n,)``, which tokens are of ⌈rate · words⌉ words, drawn without preference."""
    numbers = word_numbers(tokens)
    words = int(numbers[-1]) + 1
    chosen = generator.permutation(words) < math.ceil(rate * words)
    return chosen[numbers]


def masked(tokens: Tokens, masks: Masks, generator: np.random.Generator, *, rate: float = 0.3) -> Tokens:
    """Of ``rate`` of the words each token replaced by a mask."""
    chosen = chosen_words(tokens, rate, generator)
    ids = tokens.ids.copy()
    ids[chosen] = masks.drawn(int(chosen.sum()), generator)
    return Tokens(ids, tokens.word_starts)


def deleted(tokens: Tokens, generator: np.random.Generator, *, rate: float = 0.3) -> Tokens:
    """Without ``rate`` of the words; where they were has to be found out."""
    kept = ~chosen_words(tokens, rate, generator)
    return Tokens(tokens.ids[kept], tokens.word_starts[kept])


def infilled(
    tokens: Tokens, masks: Masks, generator: np.random.Generator, *, rate: float = 0.3, mean_span: float = 3.5
) -> Tokens:
    """With spans of words, ``rate`` of all in sum, replaced by one mask each; a span of no words inserts one.

    A text that is shorter than a span that was drawn has a shorter one.
    """
    numbers = word_numbers(tokens)
    words = int(numbers[-1]) + 1
    lengths = span_lengths(math.ceil(rate * words), mean_span, generator)
    # spans and the words that stay, in any order: how many words each of them has
    widths = np.ones(words - int(lengths.sum()) + len(lengths), dtype=np.int64)
    places = np.sort(generator.choice(len(widths), len(lengths), replace=False))
    widths[places] = lengths
    spans = np.zeros(len(widths), dtype=np.bool_)
    spans[places] = True
    kept = ~np.repeat(spans, widths)[numbers]
    begins = np.searchsorted(numbers, np.cumsum(widths)[places] - lengths)
    before = np.concatenate([[0], np.cumsum(kept)])[begins]
    ids = np.insert(tokens.ids[kept], before, masks.drawn(len(places), generator))
    return Tokens(ids, np.insert(tokens.word_starts[kept], before, np.ones(len(places), dtype=np.bool_)))


def span_lengths(total: int, mean: float, generator: np.random.Generator) -> Places:
    """Lengths of spans, of a Poisson distribution with this mean, until they have ``total`` in sum: the last is cut.

    The paper says a mean of 3; the released models had 3.5.
    """
    lengths = generator.poisson(mean, total)
    while lengths.sum() < total:
        lengths = np.concatenate([lengths, generator.poisson(mean, total)])
    sums = np.cumsum(lengths)
    last = int(np.searchsorted(sums, total))
    lengths[last] -= sums[last] - total
    return lengths[: last + 1]


def permuted(sentences: Sequence[Tokens], generator: np.random.Generator) -> list[Tokens]:
    """The sentences in any order."""
    return [sentences[place] for place in generator.permutation(len(sentences))]


def rotated(tokens: Tokens, generator: np.random.Generator) -> Tokens:
    """The tokens, begun with any of them; what was before it goes to the end.

    The original leaves the text as it is twice as often as it begins with any other token; here each is as likely.
    """
    begin = int(generator.integers(max(1, len(tokens.ids))))
    return tokens.between(begin, None) + tokens.between(0, begin)
