"""Pegasus's gaps: which sentences they are, how many, and that target and text together are the text."""

from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.text.folders import small
from tfx_core.model.heads import IGNORED
from tfx_training.corpus import Tokens
from tfx_training.objective import generator_of
from tfx_training.objectives.gap_choice import gaps, number_of_gaps, rouge, scored_as, token_counts
from tfx_training.objectives.gap_sentences import gapped, with_hidden_words
from tfx_training.objectives.noises import Masks

MASK, WORD_MASK = 2, 3


def f1(candidate: Counter[int], reference: Counter[int]) -> float:
    """ROUGE-1 F1 as it is defined: of precision and recall."""
    common = (candidate & reference).total()
    if not common:
        return 0.0
    precision, recall = common / candidate.total(), common / reference.total()
    return 2 * precision * recall / (precision + recall)


SENTENCES = st.lists(st.lists(st.integers(-1, 6), min_size=1, max_size=8).map(np.asarray), min_size=2, max_size=8)


@given(SENTENCES, st.booleans())
def test_scores_are_the_f1_of_what_both_have(sentences: list[np.ndarray], unique: bool) -> None:
    counts = token_counts(sentences)
    scores = rouge(counts, counts.sum(axis=0) - counts, unique=unique)
    for place, score in enumerate(scores):
        own = Counter(sentences[place][sentences[place] >= 0].tolist())
        others = Counter(
            int(each) for other, ids in enumerate(sentences) for each in ids if other != place and each >= 0
        )
        if unique:
            own, others = Counter(set(own)), Counter(set(others))
        assert score == pytest.approx(f1(own, others))


@given(SENTENCES, st.integers(1, 4), st.booleans())
def test_principal_sentences_one_after_another(sentences: list[np.ndarray], count: int, unique: bool) -> None:
    """As the paper's algorithm has them, written with multisets."""
    chosen: list[int] = []
    for _ in range(min(count, len(sentences))):

        def score(place: int) -> float:
            with_it = {*chosen, place}
            sides = [Counter[int](), Counter[int]()]
            for number, ids in enumerate(sentences):
                sides[number in with_it].update(ids[ids >= 0].tolist())
            return f1(*(Counter(set(side)) if unique else side for side in reversed(sides)))

        left = [place for place in range(len(sentences)) if place not in chosen]
        chosen.append(max(left, key=lambda place: (round(score(place), 9), place)))
    found = gaps(sentences, len(chosen), generator_of(0), strategy="sequential", unique=unique)
    assert found.tolist() == sorted(chosen)


ALIKE = [np.asarray(each) for each in ([1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8, 9], [5, 6, 7], [10])]


def test_principal_sentences() -> None:
    # each of the two that are equal is most like the rest, but the last of them is enough
    assert gaps(ALIKE, 2, generator_of(0)).tolist() == [0, 1]
    assert gaps(ALIKE, 2, generator_of(0), strategy="sequential").tolist() == [1, 3]
    assert gaps(ALIKE, 2, generator_of(0), strategy="lead").tolist() == [0, 1]


@pytest.mark.parametrize("strategy", ["independent", "sequential"])
def test_of_sentences_that_are_as_good_the_last_ones_are_gaps(strategy: Literal["independent", "sequential"]) -> None:
    same = [np.asarray([1, 2])] * 5
    assert gaps(same, 1, generator_of(0), strategy=strategy).tolist() == [4]
    apart = [np.asarray([place]) for place in range(5)]
    assert gaps(apart, 2, generator_of(0), strategy=strategy).tolist() == [3, 4]


def test_tokens_that_come_again_may_count_once() -> None:
    sentences = [np.asarray(each) for each in ([5, 5, 5], [5, 5, 5, 1], [1, 2, 8], [2, 9, 6])]
    assert gaps(sentences, 1, generator_of(0)).tolist() == [1]
    assert gaps(sentences, 1, generator_of(0), unique=True).tolist() == [2]


def test_random_gaps_are_anywhere() -> None:
    chosen = np.concatenate([gaps(ALIKE, 2, generator_of(0, each), strategy="random") for each in range(3000)])
    assert np.bincount(chosen) / 3000 == pytest.approx([0.4] * 5, abs=0.03)


def test_noise_changes_scores_by_a_fifth_at_most() -> None:
    def shares(text: list[list[int]]) -> list[float]:
        """How often each sentence is the one that is chosen."""
        sentences = [np.asarray(each) for each in text]
        chosen = [gaps(sentences, 1, generator_of(0, each), noise=0.2)[0] for each in range(1500)]
        return (np.bincount(chosen, minlength=len(text)) / 1500).tolist()

    assert shares([[1, 2], [1, 2], [3]]) == pytest.approx([0.5, 0.5, 0.0], abs=0.04)
    # scores of .615 and .462: of factors from .8 to 1.2 those make up for it that are a third apart
    close = [[5, 5, 5], [1, 2, 8], [5, 5, 5, 1], [2, 9, 6]]
    ratio = 0.6 / 1.3 / (0.8 / 1.3)
    area = (1.2 * ratio - 0.8) ** 2 / ratio / 2 / 0.16
    assert shares(close)[0] == pytest.approx(area, abs=0.03)
    # .5 and .308, nine fifths of it, are too far apart
    assert shares([[1, 2, 3], [1, 2, 3], [7, 8, 9, 10, 1], [11, 12, 13]])[2] == 0.0


@pytest.mark.parametrize(("sentences", "ratio", "count"), [(10, 0.45, 4), (10, 0.15, 1), (2, 0.15, 1), (3, 1.0, 3)])
def test_number_of_gaps(sentences: int, ratio: float, count: int) -> None:
    assert number_of_gaps(sentences, ratio) == count


@given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.integers(0, 2**32), st.data())
def test_gaps_filled_in_order_are_the_text(lengths: list[int], seed: int, data: st.DataObject) -> None:
    ends = np.cumsum(lengths)
    ids = np.arange(100, 100 + ends[-1])
    sentences = [Tokens.of(ids[end - length : end].tolist()) for length, end in zip(lengths, ends, strict=True)]
    places = sorted(data.draw(st.sets(st.integers(0, len(lengths) - 1), min_size=1)))
    text, target = gapped(sentences, places, MASK, generator_of(seed))
    assert target.tolist() == [number for place in places for number in sentences[place].ids]
    filled = iter(places)
    again = [each for number in text.ids for each in (sentences[next(filled)].ids if number == MASK else [number])]
    assert again == ids.tolist()
    kept, same_target = gapped(sentences, places, MASK, generator_of(seed), kept=1.0)
    assert kept.ids.tolist() == ids.tolist()
    assert same_target.tolist() == target.tolist()


def test_some_gaps_stay_in_the_text() -> None:
    sentences = [Tokens.of([number]) for number in range(100, 10_100)]
    text, target = gapped(sentences, range(10_000), MASK, generator_of(0), kept=0.1)
    assert (text.ids != MASK).mean() == pytest.approx(0.1, abs=0.01)
    assert target.tolist() == list(range(100, 10_100))


def test_hidden_words() -> None:
    starts = generator_of(0).random(100_000) < 0.5
    starts[0] = True
    ids = np.arange(100, 100_100)
    ids[::50], starts[::50], starts[1::50] = MASK, True, True
    text = Tokens(ids, starts)
    hidden, labels = with_hidden_words(text, Masks(WORD_MASK, np.arange(20, 90)), MASK, generator_of(1))
    counted = labels != IGNORED
    words = int(starts.sum()) - 2000
    assert int(starts[counted].sum()) == int(0.15 * words)
    assert (labels[counted] == ids[counted]).all()
    assert (hidden[~counted] == ids[~counted]).all()
    assert not counted[::50].any()
    for share, among in ((0.8, hidden == WORD_MASK), (0.1, hidden == ids), (0.1, (hidden >= 20) & (hidden < 90))):
        assert among[counted].mean() == pytest.approx(share, abs=0.01)


def test_a_sentence_without_a_blank_before_it_is_no_part_of_the_gap() -> None:
    # what is behind the gap begins no word, as a sentence behind a full stop of a script without blanks
    text = Tokens(np.asarray([100, MASK, 101, 102]), np.asarray([True, True, False, False]))
    masks = Masks(WORD_MASK, np.arange(20, 90))
    for seed in range(20):
        hidden, labels = with_hidden_words(text, masks, MASK, generator_of(seed), rate=1.0)
        assert hidden[1] == MASK
        assert labels.tolist() == [100, IGNORED, 101, 102]


def test_of_a_text_of_gaps_alone_no_word_is_hidden() -> None:
    text = Tokens.of([MASK, MASK])
    hidden, labels = with_hidden_words(text, Masks(WORD_MASK, np.arange(20, 90)), MASK, generator_of(1))
    assert hidden.tolist() == [MASK, MASK]
    assert (labels == IGNORED).all()


def test_what_tokens_count_as(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    scored = scored_as(tokenizer, ["The"])
    vocabulary = tokenizer.get_vocab()
    assert scored[vocabulary["[CLS]"]] == scored[vocabulary["."]] == scored[vocabulary["the"]] == -1
    assert len(scored) == len(tokenizer)
