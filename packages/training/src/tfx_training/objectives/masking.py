"""Which tokens of a row are hidden, and what stands in their place: pure functions over arrays and a generator.

Devlin et al. 2019, §3.1, and ``create_pretraining_data.py`` of google-research/bert; n-grams are those of Lan et al.
2020, §3.1, and of ``create_pretraining_data.py`` of google-research/albert. A row's tokens are hidden until there are
as many as `how_many` says, never more.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.fields import Rate, checked
from tfx_core.model.heads import IGNORED
from tfx_training.corpus.tokens import Flags, Ids, Tokens
from tfx_training.special_tokens import role_id
from tfx_training.token_tables import rows_of_table
from tfx_training.word_starts import WordStarts

Unit: TypeAlias = Literal["tokens", "words", "n-grams"]
"""What is hidden as a whole."""


class Masked(NamedTuple):
    """A row with some of its tokens hidden."""

    ids: Ids
    """``(n,)``, what the model reads."""

    labels: Ids
    """``(n,)``, the tokens that are to be guessed, else `IGNORED`."""


class Fates(NamedTuple):
    """What becomes of hidden tokens, BERT's by default: those that are neither masked nor changed stay."""

    masked: float = 0.8
    """The share of them that becomes the mask."""

    changed: float = 0.1
    """The share that becomes any usual token."""


BERT = Fates()


class Words(NamedTuple):
    """The words of a row."""

    begins: Ids
    """``(w,)``, the place of the first token of each."""

    ends: Ids
    """``(w,)``, the place after its last."""


def how_many(length: int, share: float = 0.15) -> int:
    """How many tokens are hidden at most, of a row of ``length``, special tokens included; at least one."""
    return max(1, round(share * length))


def words_of(maskable: Flags, word_starts: Flags) -> Words:
    """The words among the tokens ``(n,)`` that may be hidden; one also begins behind a token that may not."""
    behind = np.concatenate([np.ones(1, dtype=np.bool_), ~maskable[:-1]])
    begins = np.flatnonzero(maskable & (word_starts | behind))
    sizes = np.bincount(np.searchsorted(begins, np.flatnonzero(maskable), side="right") - 1, minlength=len(begins))
    return Words(begins, begins + sizes)


def chosen_tokens(maskable: Flags, most: int, generator: np.random.Generator) -> Flags:
    """Which tokens ``(n,)`` are hidden: any of those that may be, ``most`` if there are as many."""
    chosen = np.zeros(len(maskable), dtype=np.bool_)
    chosen[generator.permutation(np.flatnonzero(maskable))[:most]] = True
    return chosen


def chosen_words(maskable: Flags, word_starts: Flags, most: int, generator: np.random.Generator) -> Flags:
    """The same of whole words: any, but for those that would make more than ``most`` tokens.

    Where there are only words longer than that, tokens are chosen one by one, for a row is to have something to guess.
    """
    words, left = words_of(maskable, word_starts), most
    chosen = np.zeros(len(maskable), dtype=np.bool_)
    begins, ends = words.begins.tolist(), words.ends.tolist()
    for word in generator.permutation(len(begins)).tolist():
        if ends[word] - begins[word] <= left:
            chosen[begins[word] : ends[word]] = True
            left -= ends[word] - begins[word]
        if not left:
            break
    return chosen if left < most else chosen_tokens(maskable, most, generator)


def chosen_ngrams(
    maskable: Flags, word_starts: Flags, most: int, generator: np.random.Generator, longest: int = 3
) -> Flags:
    """The same of `ngrams`."""
    words = words_of(maskable, word_starts)
    chosen = np.zeros(len(maskable), dtype=np.bool_)
    for first, last in ngrams(words, most, generator, longest):
        chosen[words.begins[first] : words.ends[last]] = True
    return chosen if chosen.any() else chosen_tokens(maskable, most, generator)


def ngrams(words: Words, most: int, generator: np.random.Generator, longest: int = 3) -> list[tuple[int, int]]:
    """Words in a row, none of them twice, as the numbers of the first and of the last one, of ``most`` tokens at most.

    One of n words is drawn with a probability in proportion to 1/n, 6/11, 3/11 and 2/11 for the published 3, then a
    place for it, any where it fits; shorter ones only where none fits that has not too many tokens for what is left.
    """
    odds = np.cumsum(1 / np.arange(1, longest + 1))
    free = np.ones(len(words.begins), dtype=np.bool_)
    found, left = list[tuple[int, int]](), most
    while left:
        drawn = int(np.searchsorted(odds, generator.random() * odds[-1], side="right")) + 1
        fits = (_places(words, free, size, left) for size in range(drawn, 0, -1))
        size, places = next(((drawn - less, places) for less, places in enumerate(fits) if len(places)), (0, ()))
        if not size:
            break
        first = int(places[generator.integers(len(places))])
        last = first + size - 1
        found.append((first, last))
        free[first : last + 1] = False
        left -= int(words.ends[last] - words.begins[first])
    return found


def _places(words: Words, free: Flags, size: int, left: int) -> Ids:
    """The words from which on ``size`` are free, with nothing between them, and have at most ``left`` tokens."""
    count = len(free) - size + 1
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    fits = words.ends[size - 1 :] - words.begins[:count] <= left
    for place in range(size):
        fits &= free[place : place + count]
    for place in range(1, size):
        fits &= words.begins[place : place + count] == words.ends[place - 1 : place - 1 + count]
    return np.flatnonzero(fits)


def replaced(
    ids: Ids, chosen: Flags, mask: int, usual: Ids, generator: np.random.Generator, fates: Fates = BERT
) -> Ids:
    """Ids ``(n,)``, of which those chosen become ``mask`` (80 %), any of the ``usual`` ones (10 %) or stay (10 %).

    ``fates`` are other shares.
    """
    places = np.flatnonzero(chosen)
    fate = generator.random(len(places))
    anything = generator.choice(usual, len(places))
    changed = ids.copy()
    others = np.where(fate < fates.masked + fates.changed, anything, ids[places])
    changed[places] = np.where(fate < fates.masked, mask, others)
    return changed


def labels_of(ids: Ids, chosen: Flags) -> Ids:
    """What is to be guessed: the ids ``(n,)`` where they are chosen, else `IGNORED`."""
    return np.where(chosen, ids, IGNORED)


class Masking:
    """Hides a share of the tokens of rows of a tokenizer, special tokens never.

    An unknown token is none of those: it is hidden like any other. ``words`` say where words begin. Raises `InputError`
    for a tokenizer without a mask.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        share: float = 0.15,
        unit: Unit = "tokens",
        fates: Fates = BERT,
        words: WordStarts | None = None,
    ) -> None:
        self.share = checked(share, Rate, "share", InputError)
        self.unit = checked(unit, Unit, "unit", InputError)
        self.fates = fates
        self.mask = role_id(tokenizer, "mask_token")
        self.usual = usual_ids(tokenizer)
        self._maskable = np.zeros(rows_of_table(tokenizer), dtype=np.bool_)
        self._maskable[self.usual] = True
        if tokenizer.unk_token_id is not None:
            self._maskable[tokenizer.unk_token_id] = True
        self.words = WordStarts(tokenizer) if words is None else words

    def __call__(self, row: Tokens, generator: np.random.Generator) -> Masked:
        """The row with special tokens in it, hidden in part."""
        chosen = self.chosen(row, generator)
        ids = replaced(row.ids, chosen, self.mask, self.usual, generator, self.fates)
        return Masked(ids, labels_of(row.ids, chosen))

    def chosen(self, row: Tokens, generator: np.random.Generator) -> Flags:
        """Which tokens of the row ``(n,)`` are hidden."""
        maskable, most = self._maskable[row.ids], how_many(len(row.ids), self.share)
        if self.unit == "tokens":
            return chosen_tokens(maskable, most, generator)
        choose = chosen_words if self.unit == "words" else chosen_ngrams
        return choose(maskable, self.words(row), most, generator)


def usual_ids(tokenizer: Tokenizer) -> Ids:
    """All ids but those of special tokens, ascending."""
    return _sorted({*tokenizer.get_vocab().values()} - {*tokenizer.all_special_ids})


def _sorted(ids: set[int]) -> NDArray[np.int64]:
    ordered: Sequence[int] = sorted(ids)
    return np.asarray(ordered, dtype=np.int64)
