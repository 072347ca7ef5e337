"""Rows of whole sentences, and languages of which an epoch has more than their share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_training import TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.passages import Passages, balanced
from tfx_training.rows import Picked


def corpus_of(documents: list[list[int]], groups: list[int] | None = None) -> TokenCorpus:
    """Documents of sentences of so many tokens, whose ids are their places."""
    lengths = [length for document in documents for length in document]
    ids = np.arange(sum(lengths), dtype=np.uint32)
    return TokenCorpus(
        ids=ids,
        word_starts=np.ones(len(ids), dtype=np.bool_),
        sentence_ends=np.cumsum(lengths),
        document_ends=np.cumsum([len(document) for document in documents]),
        groups=np.asarray(groups or [0] * len(lengths), dtype=np.uint16),
        group_names=("", "other"),
        size=len(ids),
    )


def lengths(passages: Passages) -> list[list[int]]:
    return [[len(sentence.ids) for sentence in passage.sentences] for passage in passages]


def test_as_many_whole_sentences_as_fit() -> None:
    corpus = corpus_of([[3, 4, 5], [2], [4, 4, 4, 4]])
    assert lengths(Passages(corpus, 8)) == [[3, 4], [5], [2], [4, 4], [4, 4]]
    assert lengths(Passages(corpus, 8, between=1)) == [[3, 4], [5], [2], [4], [4], [4], [4]]
    assert lengths(Passages(corpus, 8, least=2)) == [[3, 4], [4, 4], [4, 4]]


def test_a_longer_sentence_is_cut() -> None:
    assert lengths(Passages(corpus_of([[2, 9, 1], [4, 1]]), 4)) == [[2], [4], [4], [1], [1], [4], [1]]


def test_no_passage_is_in_two_languages() -> None:
    passages = Passages(corpus_of([[2, 2, 2]], [0, 1, 1]), 8)
    assert lengths(passages) == [[2], [2, 2]]
    assert [passage.group for passage in passages] == ["", "other"]
    assert passages.groups.tolist() == [0, 1]
    assert passages.counts.tolist() == [1, 2]


def test_rows_may_be_sliced() -> None:
    passages = Passages(corpus_of([[3, 4, 5], [2]]), 8)
    assert [each.group for each in passages[1:]] == ["", ""]
    picked = Picked(passages, np.asarray([2, 0]))
    assert len(picked) == 2
    assert [len(each.sentences) for each in picked[:]] == [1, 2]
    assert picked[1].sentences[0].ids.tolist() == [0, 1, 2]


@given(
    st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=6), min_size=1, max_size=5),
    st.integers(1, 20),
    st.integers(0, 2),
)
def test_passages_are_the_corpus(documents: list[list[int]], length: int, between: int) -> None:
    passages = Passages(corpus_of(documents), length, between=between)
    ids = [number for passage in passages for sentence in passage.sentences for number in sentence.ids]
    assert ids == list(range(sum(map(sum, documents))))
    for sentences in lengths(passages):
        assert sum(sentences) + between * (len(sentences) - 1) <= length


def test_languages_are_drawn_by_a_power_of_their_share() -> None:
    groups = np.repeat([0, 1, 2], [9000, 900, 100])
    drawn = groups[balanced(groups, 0.7, generator_of(0))]
    shares = np.asarray([0.9, 0.09, 0.01]) ** 0.7
    assert np.bincount(drawn) / 10_000 == pytest.approx(shares / shares.sum(), abs=1e-3)
    often = np.bincount(balanced(groups, 0.7, generator_of(0)), minlength=10_000)
    assert all(np.ptp(often[groups == each]) <= 1 for each in range(3))


def test_one_language_and_no_power_leave_each_row_once() -> None:
    for groups, exponent in ((np.zeros(50), 0.7), (np.repeat([0, 1], [40, 10]), 1.0)):
        assert sorted(balanced(groups, exponent, generator_of(0))) == list(range(50))
