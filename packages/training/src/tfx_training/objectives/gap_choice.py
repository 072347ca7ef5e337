"""Which sentences of a text say the most of it (Zhang et al. 2020, §3.1).

Source: google-research/pegasus, ``pegasus/ops/sentence_selection.cc`` and ``pegasus/ops/rouge.cc``.
"""

from collections.abc import Collection, Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core import Tokenizer
from tfx_training.corpus.tokens import Ids, Places
from tfx_training.token_tables import rows_of_table

Strategy: TypeAlias = Literal["independent", "sequential", "random", "lead"]
"""The first two are the paper's principal sentences (Ind and Seq)."""

Scores: TypeAlias = NDArray[np.float64]

_MARKS = ("▁", "Ġ", "##")
"""What a piece begins with that begins a word, or continues it."""


def number_of_gaps(sentences: int, ratio: float) -> int:
    """How many of the sentences, at least one."""
    return min(max(1, int(ratio * sentences)), sentences)


def gaps(
    sentences: Sequence[Ids],
    count: int,
    generator: np.random.Generator,
    *,
    strategy: Strategy = "independent",
    unique: bool = False,
    noise: float = 0.0,
) -> Places:
    """``(count,)``, the numbers of some sentences, ascending; each sentence is given as what is scored of it.

    Any, the first ones, or the principal ones: those that have the highest ROUGE-1 F1 with all others together, each
    for itself, or chosen one after another so that all chosen ones together have it with what is left. With ``unique``
    a token that comes again is not counted again (Uniq, else Orig). Scores are multiplied by any number from 1 - noise
    to 1 + noise. Of equal scores the last ones are the highest, as in the original.
    """
    if strategy == "lead":
        return np.arange(count)
    if strategy == "random":
        return np.sort(generator.choice(len(sentences), count, replace=False))
    counts = token_counts(sentences)
    rounds = count if strategy == "sequential" else 1
    chosen = np.zeros(len(sentences), dtype=np.bool_)
    for _ in range(rounds):
        scores = rouge(counts[chosen].sum(axis=0) + counts, counts[~chosen].sum(axis=0) - counts, unique=unique)
        scores *= generator.uniform(1 - noise, 1 + noise, len(scores))
        scores[chosen] = -1.0
        chosen[np.argsort(scores, kind="stable")[len(scores) - count // rounds :]] = True
    return np.flatnonzero(chosen)


def token_counts(sentences: Sequence[Ids]) -> Places:
    """``(n, V)``, how often each sentence has each of the V tokens that the text has; negative ones are left out."""
    numbers = np.repeat(np.arange(len(sentences)), [len(each) for each in sentences])
    ids = np.concatenate([*sentences])
    known, places = np.unique(ids[ids >= 0], return_inverse=True)
    counts = np.zeros((len(sentences), len(known)), dtype=np.int64)
    np.add.at(counts, (numbers[ids >= 0], places), 1)
    return counts


def rouge(candidates: Places, references: Places, *, unique: bool = False) -> Scores:
    """ROUGE-1 F1 ``(n,)`` of counts ``(n, V)``: what both have, by the mean of what each has."""
    if unique:
        candidates, references = np.minimum(candidates, 1), np.minimum(references, 1)
    common = np.minimum(candidates, references).sum(axis=1)
    both = candidates.sum(axis=1) + references.sum(axis=1)
    scores: Scores = 2 * common / np.maximum(1, both)
    return scores


def scored_as(tokenizer: Tokenizer, stop_words: Collection[str] = ()) -> Ids:
    """``(V,)``, what each token counts as: as the first one that is the same word in small letters, or as none (-1).

    Tokens without a letter or digit, special ones and stop words count as none. The original does so with words, and
    only with those of a to z and digits.
    """
    left_out = {word.lower() for word in stop_words}
    special = set(tokenizer.all_special_ids)
    first: dict[str, int] = {}
    table = np.full(rows_of_table(tokenizer), -1)
    for number, piece in sorted((number, piece) for piece, number in tokenizer.get_vocab().items()):
        word = _word(piece)
        if number not in special and word not in left_out and _is_word(word):
            table[number] = first.setdefault(word, number)
    return table


def _word(piece: str) -> str:
    """Of a piece, without the mark of a word's begin, in small letters."""
    for mark in _MARKS:
        piece = piece.removeprefix(mark)
    return piece.lower()


def _is_word(word: str) -> bool:
    return any(map(str.isalnum, word))
