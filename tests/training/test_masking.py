"""What is hidden, how much of it, and what stands in its place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_training.corpus import Tokens
from tfx_training.corpus.tokens import Flags
from tfx_training.objectives.masked_words import MaskedWords
from tfx_training.objectives.masking import (
    Masking,
    Unit,
    Words,
    chosen_ngrams,
    chosen_tokens,
    chosen_words,
    how_many,
    ngrams,
    replaced,
    words_of,
)

LENGTH, ROWS = 512, 200
"""More than 100,000 tokens."""


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return small(tmp_path)


def row(generator: np.random.Generator, length: int = LENGTH) -> tuple[Flags, Flags]:
    """Which tokens of a row may be hidden, all but its ends, and which begin words, of 1.3 tokens on average."""
    maskable = np.ones(length, dtype=np.bool_)
    maskable[[0, -1]] = False
    return maskable, generator.random(length) < 0.77


@pytest.mark.parametrize(("length", "most"), [(1, 1), (3, 1), (9, 1), (10, 2), (100, 15), (128, 19), (512, 77)])
def test_the_number_is_that_of_the_original_code(length: int, most: int) -> None:
    assert how_many(length) == most


def test_fifteen_of_a_hundred_tokens_are_hidden() -> None:
    generator = np.random.default_rng(0)
    shares = {"tokens": 0, "words": 0, "n-grams": 0}
    for _ in range(ROWS):
        maskable, starts = row(generator)
        most = how_many(LENGTH)
        shares["tokens"] += int(chosen_tokens(maskable, most, generator).sum())
        shares["words"] += int(chosen_words(maskable, starts, most, generator).sum())
        shares["n-grams"] += int(chosen_ngrams(maskable, starts, most, generator).sum())
    for hidden in shares.values():
        assert hidden / ROWS / LENGTH == pytest.approx(0.15, abs=0.005)


def test_any_token_is_hidden_as_often_as_another() -> None:
    generator = np.random.default_rng(0)
    hidden = np.zeros(50)
    for _ in range(4000):
        hidden += chosen_tokens(np.arange(50) > 0, 8, generator)
    assert hidden[0] == 0
    assert hidden[1:] / 4000 == pytest.approx(np.full(49, 8 / 49), abs=0.025)


def test_no_more_than_asked_for_and_only_what_may_be() -> None:
    generator = np.random.default_rng(1)
    for length in (*range(3, 40), 200):
        maskable, starts = row(generator, length)
        most = how_many(length)
        for chosen in (
            chosen_tokens(maskable, most, generator),
            chosen_words(maskable, starts, most, generator),
            chosen_ngrams(maskable, starts, most, generator),
        ):
            assert 0 < chosen.sum() <= most
            assert not (chosen & ~maskable).any()


def test_words_are_hidden_as_a_whole() -> None:
    generator = np.random.default_rng(2)
    for choose in (chosen_words, chosen_ngrams):
        for _ in range(50):
            maskable, starts = row(generator)
            chosen = choose(maskable, starts, how_many(LENGTH), generator)
            for begin, end in zip(*words_of(maskable, starts), strict=True):
                assert chosen[begin:end].all() or not chosen[begin:end].any()


def test_a_word_begins_behind_a_special_token() -> None:
    maskable = np.array([0, 1, 1, 0, 1, 1, 1, 0], dtype=np.bool_)
    starts = np.array([1, 0, 1, 1, 0, 0, 1, 1], dtype=np.bool_)
    words = words_of(maskable, starts)
    assert words.begins.tolist() == [1, 2, 4, 6]
    assert words.ends.tolist() == [2, 3, 6, 7]


def test_a_row_of_one_long_word_has_something_to_guess() -> None:
    maskable, starts = np.ones(30, dtype=np.bool_), np.arange(30) == 0
    for choose in (chosen_words, chosen_ngrams):
        assert choose(maskable, starts, 4, np.random.default_rng(0)).sum() == 4


def test_a_row_of_special_tokens_alone_hides_nothing() -> None:
    nothing = np.zeros(5, dtype=np.bool_)
    for choose in (chosen_words, chosen_ngrams):
        assert not choose(nothing, ~nothing, 1, np.random.default_rng(0)).any()


def test_ngrams_are_as_long_as_published() -> None:
    generator = np.random.default_rng(0)
    counts = np.zeros(4)
    for _ in range(100):
        # rows so long that the last one of a row, shorter where no room is left, is one of many
        words = words_of(*row(generator, 2048))
        for first, last in ngrams(words, how_many(2048), generator):
            counts[last - first + 1] += 1
    assert counts / counts.sum() == pytest.approx(np.array([0, 6 / 11, 3 / 11, 2 / 11]), abs=0.01)


def test_an_ngram_reaches_over_no_special_token() -> None:
    words = Words(np.array([1, 2, 4, 5]), np.array([2, 3, 5, 6]))  # a separator at 3
    for seed in range(200):
        found = ngrams(words, 4, np.random.default_rng(seed))
        assert (1, 2) not in [(each, each + 1) for first, last in found for each in range(first, last)]
        numbers = [each for first, last in found for each in range(first, last + 1)]
        assert sorted(numbers) == [0, 1, 2, 3]


def test_eight_of_ten_become_the_mask_and_one_anything(tokenizer: Tokenizer) -> None:
    generator = np.random.default_rng(0)
    usual = np.arange(10, 60)
    ids = np.full(100_000, 5)
    changed = replaced(ids, np.ones(100_000, dtype=np.bool_), 3, usual, generator)
    assert (changed == 3).mean() == pytest.approx(0.8, abs=0.005)
    assert (changed == 5).mean() == pytest.approx(0.1, abs=0.005)
    others = np.bincount(changed[(changed != 3) & (changed != 5)])
    assert set(np.flatnonzero(others)) == set(usual.tolist())
    assert others[10:] / others.sum() == pytest.approx(np.full(50, 0.02), abs=0.005)


@pytest.mark.parametrize("unit", ["tokens", "words", "n-grams"])
def test_labels_hold_exactly_what_was_hidden(tokenizer: Tokenizer, unit: Unit) -> None:
    masking = Masking(tokenizer, unit=unit)
    generator = np.random.default_rng(3)
    special = {*tokenizer.all_special_ids}
    for _ in range(50):
        ids = np.concatenate([[tokenizer.cls_token_id], generator.choice(masking.usual, 98), [tokenizer.sep_token_id]])
        given = ids.copy()
        masked = masking(Tokens(ids, generator.random(100) < 0.77), generator)
        assert (ids == given).all()
        hidden = masked.labels != IGNORED
        assert 0 < hidden.sum() <= 15
        assert np.where(hidden, masked.labels, masked.ids).tolist() == ids.tolist()
        assert not special & {*masked.labels[hidden].tolist()}
        assert special & {*masked.ids[hidden].tolist()} <= {tokenizer.mask_token_id}


def test_an_unknown_word_is_hidden_like_any_other(tokenizer: Tokenizer) -> None:
    masking = Masking(tokenizer, share=1.0)
    unknown = Tokens.of([tokenizer.unk_token_id, tokenizer.sep_token_id])
    assert masking.chosen(unknown, np.random.default_rng(0)).tolist() == [True, False]


def test_the_same_generator_hides_the_same(tokenizer: Tokenizer) -> None:
    masking = Masking(tokenizer, unit="n-grams")
    tokens = Tokens.of(masking.usual[:80].tolist())
    one, same, other = (masking(tokens, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert (one.labels == same.labels).all()
    assert (one.ids == same.ids).all()
    assert (one.labels != other.labels).any()


def test_a_tokenizer_without_a_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"this tokenizer has no mask_token, which the objective needs; name one"):
        MaskedWords(small(tmp_path, {"mask_token": None}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"share": 1.5}, "share=1.5: must be"),
        ({"length": 2}, "length=2: must be at least 3, for 2 tokens are special"),
        ({"packing": "lines"}, "packing='lines': must be one of 'full-sentences'"),
        ({"separated": "words"}, "separated='words': must be one of 'documents'"),
        ({"whole_words": "yes"}, "whole_words='yes': must be"),
        ({"language_exponent": -1}, "language_exponent=-1: must be"),
    ],
)
def test_options_are_checked(tokenizer: Tokenizer, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        MaskedWords(tokenizer, **options)
