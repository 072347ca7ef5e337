"""BART's noises: what they hide and how much of it, alone, whole words, and that the rest is the text."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_training.corpus import Tokens
from tfx_training.objective import generator_of
from tfx_training.objectives.noises import (
    Masks,
    deleted,
    infilled,
    masked,
    permuted,
    rotated,
    span_lengths,
    word_numbers,
)

MASK = 7
MASKS = Masks(MASK, np.arange(10, 20))
FIRST = 1000
"""The least id of a text, of which no two tokens are alike."""


def words_of(count: int, seed: int = 0) -> Tokens:
    """Words of one to three tokens."""
    lengths = generator_of(seed).integers(1, 4, count)
    starts = np.zeros(int(lengths.sum()), dtype=np.bool_)
    starts[np.cumsum(lengths) - lengths] = True
    return Tokens(np.arange(FIRST, FIRST + len(starts)), starts)


def hidden_words(text: Tokens, noised: Tokens) -> int:
    """How many words of a text are not in what noise left of it; none is there in part."""
    numbers = word_numbers(text)
    missing = ~np.isin(text.ids, noised.ids)
    words = [missing[numbers == number] for number in range(int(numbers[-1]) + 1)]
    assert all(word.all() or not word.any() for word in words)
    return sum(bool(word.all()) for word in words)


MANY = words_of(50_000)
"""10⁵ tokens."""


@pytest.mark.parametrize(
    "noise",
    [
        lambda text, generator: masked(text, MASKS, generator),
        lambda text, generator: deleted(text, generator),
        lambda text, generator: infilled(text, MASKS, generator),
    ],
    ids=["masking", "deletion", "infilling"],
)
@pytest.mark.parametrize("text", [MANY, Tokens.of(MANY.ids.tolist())], ids=["words", "tokens"])
def test_three_tenths_are_hidden(text: Tokens, noise: Callable[[Tokens, np.random.Generator], Tokens]) -> None:
    noised = noise(text, generator_of(0))
    hidden = ~np.isin(text.ids, noised.ids)
    assert len(text.ids) > 99_000
    numbers = word_numbers(text)
    assert len(np.unique(numbers[hidden])) == math.ceil(0.3 * (int(numbers[-1]) + 1))
    assert hidden.mean() == pytest.approx(0.3, abs=0.005)
    # nowhere more than elsewhere
    assert np.abs(hidden[: len(hidden) // 10 * 10].reshape(10, -1).mean(axis=1) - 0.3).max() < 0.05


def test_lengths_of_spans() -> None:
    lengths = span_lengths(350_000, 3.5, generator_of(0))
    assert lengths.sum() == 350_000
    assert lengths.mean() == pytest.approx(3.5, abs=0.05)
    for length in range(8):
        share = math.exp(-3.5) * 3.5**length / math.factorial(length)
        assert (lengths == length).mean() == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("mean", [0.1, 0.5, 128.0])
def test_spans_are_cut_to_what_there_is(mean: float) -> None:
    for seed in range(20):
        lengths = span_lengths(3, mean, generator_of(seed))
        assert lengths.sum() == 3
        assert lengths[-1] > 0


def test_spans_of_no_words_insert_masks() -> None:
    noised = infilled(MANY, MASKS, generator_of(0))
    spans = int((noised.ids == MASK).sum())
    hidden = math.ceil(0.3 * 50_000)
    assert hidden / spans == pytest.approx(3.5, abs=0.05)
    kept = noised.ids != MASK
    words = np.concatenate([[-1], word_numbers(MANY)[noised.ids[kept] - FIRST], [50_000]])
    gaps = np.diff(np.flatnonzero(np.concatenate([[True], kept, [True]]))) - 1  # masks between neighbours
    inserted = int(gaps[np.diff(words) <= 1].sum())
    assert inserted / spans > math.exp(-3.5) * 0.5  # those beside a span with words are not told from it
    assert noised.word_starts[noised.ids == MASK].all()


def test_some_masks_are_other_tokens() -> None:
    masks = Masks(MASK, np.arange(10, 20), random=0.1)
    for noised in (masked(MANY, masks, generator_of(0)), infilled(MANY, masks, generator_of(1), mean_span=1.0)):
        put = noised.ids[noised.ids < FIRST]
        assert (put != MASK).mean() == pytest.approx(0.1, abs=0.01)
        assert set(put.tolist()) == {MASK, *range(10, 20)}


def test_masks_stand_where_tokens_stood() -> None:
    noised = masked(MANY, MASKS, generator_of(0))
    assert ((noised.ids == MASK) | (noised.ids == MANY.ids)).all()
    assert noised.word_starts is MANY.word_starts


def test_any_order_of_sentences_is_as_likely() -> None:
    sentences = [Tokens.of([number]) for number in range(3)]
    orders = Counter(
        tuple(int(each.ids[0]) for each in permuted(sentences, generator_of(0, number))) for number in range(6000)
    )
    assert set(orders) == set(permutations(range(3)))
    assert all(count / 6000 == pytest.approx(1 / 6, abs=0.02) for count in orders.values())


def test_any_token_may_begin_a_rotated_text() -> None:
    text = words_of(4)
    begins = Counter()
    for number in range(5000):
        ids = rotated(text, generator_of(0, number)).ids.tolist()
        begins[ids[0]] += 1
        assert ids == [*range(ids[0], FIRST + len(ids)), *range(FIRST, ids[0])]
    assert set(begins) == set(text.ids.tolist())
    assert all(count / 5000 == pytest.approx(1 / len(begins), abs=0.02) for count in begins.values())


TEXTS = st.lists(st.booleans(), min_size=1, max_size=40).map(
    lambda starts: Tokens(np.arange(FIRST, FIRST + len(starts)), np.asarray(starts))
)


@given(TEXTS, st.floats(0.01, 1.0), st.floats(0.1, 20.0), st.integers(0, 2**32))
def test_what_is_hidden_fills_the_gaps(text: Tokens, rate: float, mean: float, seed: int) -> None:
    noised = infilled(text, MASKS, generator_of(seed), rate=rate, mean_span=mean)
    assert hidden_words(text, noised) == math.ceil(rate * (int(word_numbers(text)[-1]) + 1))
    place, masks = FIRST, 0
    for number in [*noised.ids.tolist(), FIRST + len(text.ids)]:
        if number == MASK:
            masks += 1
            continue
        assert number >= place  # in the order of the text
        assert number == place or masks  # nothing is missing without a mask
        place, masks = number + 1, 0
    assert len(noised.ids) == len(noised.word_starts)


@given(TEXTS, st.floats(0.01, 1.0), st.integers(0, 2**32))
def test_what_is_not_deleted_stays_in_order(text: Tokens, rate: float, seed: int) -> None:
    noised = deleted(text, generator_of(seed), rate=rate)
    assert (np.diff(noised.ids) > 0).all()
    assert hidden_words(text, noised) == math.ceil(rate * (int(word_numbers(text)[-1]) + 1))


def test_a_text_that_is_hidden_whole() -> None:
    one = Tokens.of([FIRST])
    assert masked(one, MASKS, generator_of(0)).ids.tolist() == [MASK]
    assert deleted(one, generator_of(0)).ids.tolist() == []
    assert rotated(deleted(one, generator_of(0)), generator_of(0)).ids.tolist() == []
    assert set(infilled(one, MASKS, generator_of(0)).ids.tolist()) == {MASK}
