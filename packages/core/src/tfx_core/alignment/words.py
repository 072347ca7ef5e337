"""Words of a text, the tokens that spell them, and which words of two texts belong together."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Self, TypeAlias

import torch
from torch import Tensor

from tfx_core.tasks.windows import word_characters

Span: TypeAlias = tuple[int, int] | None
"""First and past-the-last character of a token; ``None`` for one that takes no part, as special tokens do."""

_TINY = 1e-30
_WORD = re.compile(r"\S+")


class Alignment(str):
    """Pairs of words in the usual form, ``"0-0 1-2"``: source word and target word, counted from 0, split at blanks."""

    __slots__ = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Self:
        """That of pairs of a source word and a target word."""
        return cls(" ".join(f"{source}-{target}" for source, target in sorted(pairs)))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The pairs as numbers."""
        return [(int(source), int(target)) for source, _, target in (each.partition("-") for each in self.split())]


def aligned(mass: Tensor) -> Alignment:
    """Each target word with the source word that it has most to do with, if with any; ``(target, source)`` words.

    What counts is the share of a word's attention that goes to a source word times the share of the attention to that
    source word that comes from it: in both directions, as Dou & Neubig (2021, "Word Alignment by Fine-tuning Embeddings
    on Parallel Corpora") take the best pairs. So a full stop that all words attend to is not everybody's origin.
    """
    if not mass.numel():
        return Alignment()
    given = mass / mass.sum(1, keepdim=True).clamp(min=_TINY)
    most = (given * given / given.sum(0).clamp(min=_TINY)).max(dim=1)
    origins = zip(most.indices.tolist(), most.values.tolist(), strict=True)
    return Alignment.of((source, target) for target, (source, share) in enumerate(origins) if share > 0)


def spelling(text: str, spans: Sequence[Span]) -> Tensor:
    """Which tokens spell which word: ``(words, tokens)``, a token's share in each word that it has a character of.

    A token that has none, such as a blank of its own, is part of the word that begins behind it.
    """
    words = [found.span() for found in _WORD.finditer(text)]
    shares = torch.zeros(len(words), len(spans))
    if not words:
        return shares
    starts, ends = torch.tensor(words).unbind(1)
    for place, span in enumerate(spans):
        if span is not None:
            start, end = word_characters(text, *span)
            shares[:, place] = ((starts < max(end, start + 1)) & (ends > start)).float()
    return shares / shares.sum(0).clamp(min=1)


def spans_of_ids(
    ids: Sequence[int], skipped: frozenset[int], decode: Callable[[list[list[int]]], list[str]]
) -> list[Span]:
    """Which characters of ``decode([ids])[0]`` each token brought in: those that a text ending with it has, too.

    The bytes of one character are all at its place; ``skipped`` ids have none.
    """
    *begun, whole = decode([list(ids[:count]) for count in range(len(ids) + 1)])
    ends = accumulate((_common(text, whole) for text in [*begun, whole]), max)
    return [None if token in skipped else span for token, span in zip(ids, pairwise(ends), strict=True)]


def within(text: str, begin: int, spans: Iterable[Span]) -> list[Span]:
    """The spans in a whole of which ``text``, without the blanks around it, is the part that begins there."""
    moved, end = begin - (len(text) - len(text.lstrip())), begin + len(text.strip())
    return [
        None if span is None else (min(max(span[0] + moved, begin), end), min(span[1] + moved, end)) for span in spans
    ]


def _common(text: str, whole: str) -> int:
    """How many characters both begin with."""
    if whole.startswith(text):
        return len(text)
    return next(place for place, one in enumerate(text) if not whole.startswith(one, place))
