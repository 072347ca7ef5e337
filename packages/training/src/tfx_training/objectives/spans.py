"""Spans of a text that a mark stands for, and the target that says what they were (Raffel et al. 2020, §3.1.4).

Pure functions over ids and a generator; ``t5/data/preprocessors.py`` of
google-research/text-to-text-transfer-transformer, from which lengths and order are exactly those.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfx_core.errors import InputError
from tfx_training.corpus.tokens import Flags, Ids


class SpanCounts(NamedTuple):
    """What is hidden of a text."""

    tokens: int
    """How many tokens."""

    spans: int
    """In how many spans; as many are left before each of them."""


def span_counts(length: int, density: float = 0.15, mean_span: float = 3.0) -> SpanCounts:
    """How much of a text of ``length`` tokens is hidden: at least one token, and one stays (`random_spans_noise_mask`).

    There are no more spans than hidden tokens, nor than others. Raises `InputError` for a text of less than two tokens.
    """
    if length < 2:
        raise InputError(f"a text of {length} tokens: of one token nothing can be hidden while something stays")
    tokens = min(max(round(length * density), 1), length - 1)
    return SpanCounts(tokens, min(max(round(tokens / mean_span), 1), tokens, length - tokens))


def raw_length(length: int, density: float = 0.15, mean_span: float = 3.0) -> tuple[int, int]:
    """The longest text of which the input has at most ``length`` tokens, and the length of its target.

    Of both the marks and one end token count: 512 -> (568, 114). Raises `InputError` where nothing fits
    (`random_spans_helper`).
    """
    if length < 3:
        raise InputError(f"length={length}: an input needs 3 tokens, what stays, the mark of a span and the end")
    raw = 2
    while _lengths(raw + 1, density, mean_span)[0] <= length:
        raw += 1
    return raw, _lengths(raw, density, mean_span)[1]


def _lengths(raw: int, density: float, mean_span: float) -> tuple[int, int]:
    """Of input and target, end tokens included."""
    hidden = span_counts(raw, density, mean_span)
    return raw - hidden.tokens + hidden.spans + 1, hidden.tokens + hidden.spans + 1


def random_spans(length: int, density: float, mean_span: float, generator: np.random.Generator) -> Flags:
    """Which of ``length`` tokens are hidden, ``(length,)``: all ways with `span_counts` are equally likely.

    What stays and what is hidden take turns; a text begins with what stays and ends with what is hidden.
    """
    hidden = span_counts(length, density, mean_span)
    stay = random_partition(length - hidden.tokens, hidden.spans, generator)
    lengths = np.stack([stay, random_partition(hidden.tokens, hidden.spans, generator)], axis=1).ravel()
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def random_partition(total: int, parts: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``parts`` whole numbers of at least 1 that make ``total``, ``(parts,)``; all ways are equally likely."""
    cuts = np.sort(generator.choice(total - 1, size=parts - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=total).astype(np.int64)


def without_spans(ids: Ids, hidden: Flags, sentinels: Sequence[int]) -> Ids:
    """The ids with each run of hidden ones replaced by a mark, the first run by the first of ``sentinels``.

    With ``~hidden`` it is the target: what was hidden, and marks for the rest. Raises `InputError` for too few marks.
    """
    begins = hidden & ~np.concatenate([np.zeros(1, dtype=np.bool_), hidden[:-1]])
    count = int(begins.sum())
    if count > len(sentinels):
        raise InputError(f"{count} spans are hidden, but there are only {len(sentinels)} sentinels")
    marked: Ids = ids.copy()
    marked[begins] = sentinels[:count]
    kept: Ids = marked[begins | ~hidden]
    return kept
