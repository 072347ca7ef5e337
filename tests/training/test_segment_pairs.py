"""Pairs of segments: whether they follow each other, in which order, and how they are cut."""

from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import small
from tests.training.test_packing import corpus_of
from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.next_sentence import NextSentence
from tfx_training.objectives.segment_pairs import cut, cut_sizes, wanted_tokens
from tfx_training.objectives.sentence_order import SentenceOrder


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return small(tmp_path)


def many(documents: int = 400) -> TokenCorpus:
    """Documents of 20 sentences of 5 to 24 tokens, more than 100,000 together."""
    generator = np.random.default_rng(0)
    return corpus_of(*(generator.integers(5, 25, 20).tolist() for _ in range(documents)))


def document_of(corpus: TokenCorpus, number: int) -> int:
    """In which document an id of `corpus_of` stands."""
    return int(
        np.searchsorted(
            corpus.document_ends, np.searchsorted(corpus.sentence_ends, number - 1, side="right"), side="right"
        )
    )


def test_half_of_the_next_sentences_are_random_ones(tokenizer: Tokenizer) -> None:
    corpus = many(1500)
    rows = NextSentence(tokenizer, length=128, short=0.0).rows(corpus, generator_of(0))
    alone = 0
    labels = []
    for row in rows:
        first, second = (document_of(corpus, int(each.ids[0])) for each in row[:2])
        assert (first == second) == (row.label == 0)
        ends_document = int(row.first.ids[-1]) in corpus.sentence_ends[corpus.document_ends - 1]
        alone += ends_document
        labels += [] if ends_document else [row.label]
        if row.label == 0:
            assert row.second.ids[0] == row.first.ids[-1] + 1
    assert np.mean(labels) == pytest.approx(0.5, abs=0.02)
    assert 0 < alone < len(corpus)


def test_what_a_random_segment_displaces_begins_the_next_pair(tokenizer: Tokenizer) -> None:
    corpus = many(50)
    rows = NextSentence(tokenizer, length=128).rows(corpus, generator_of(0))
    used = [number for row in rows for part in row[: 2 - row.label] for number in part.ids.tolist()]
    assert used == corpus.ids.tolist()


def test_a_sentence_that_is_left_alone_is_followed_by_a_random_one(tokenizer: Tokenizer) -> None:
    corpus = corpus_of([4], [5, 5])
    rows = NextSentence(tokenizer, length=64).rows(corpus, generator_of(0))
    assert rows[0].label == 1
    assert rows[0].first.ids.tolist() == [1, 2, 3, 4]
    assert rows[0].second.ids[0] > 4


def test_a_tenth_of_the_documents_has_shorter_pairs() -> None:
    generator = np.random.default_rng(0)
    wanted = np.array([wanted_tokens(125, 0.1, generator) for _ in range(100_000)])
    short = wanted[wanted < 125]
    assert len(short) / 100_000 == pytest.approx(0.1 * 123 / 124, abs=0.005)
    assert short.min() == 2
    assert short.mean() == pytest.approx(63, abs=1.5)


def test_half_of_the_pairs_are_swapped_and_all_are_consecutive(tokenizer: Tokenizer) -> None:
    corpus = many()
    labels = []
    for row in SentenceOrder(tokenizer, length=128).rows(corpus, generator_of(0)):
        one, other = (row.second, row.first) if row.label else (row.first, row.second)
        assert other.ids[0] == one.ids[-1] + 1
        assert document_of(corpus, int(one.ids[0])) == document_of(corpus, int(other.ids[-1]))
        labels.append(row.label)
    assert np.mean(labels) == pytest.approx(0.5, abs=0.02)


def test_every_pair_has_two_sentences_where_the_document_has(tokenizer: Tokenizer) -> None:
    corpus = corpus_of([50, 50], [3])
    (row,) = SentenceOrder(tokenizer, length=20).rows(corpus, generator_of(0))
    assert sorted([int(row.first.ids[0]), int(row.second.ids[0])]) == [1, 51]


def test_the_longer_segment_is_cut_first() -> None:
    def slowly(first: int, second: int, room: int) -> tuple[int, int]:
        while first + second > room:
            first, second = (first - 1, second) if first > second else (first, second - 1)
        return first, second

    for first in range(1, 12):
        for second in range(1, 12):
            for room in range(2, 25):
                assert cut_sizes(first, second, room) == slowly(first, second, room)


def test_either_end_is_cut() -> None:
    tokens = corpus_of([20]).document(0)
    generator = np.random.default_rng(0)
    fronts = [int(cut(tokens, 10, generator).ids[0]) - 1 for _ in range(2000)]
    assert np.mean(fronts) == pytest.approx(5, abs=0.2)
    assert np.var(fronts) == pytest.approx(2.5, abs=0.3)


def test_a_row_is_a_pair_of_at_most_the_length(tokenizer: Tokenizer) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [" ".join(letters[number:] + letters[:number]) for number in range(12)]
    corpus = TokenCorpus.of(tokenizer, [Document((Part(text, [9, 19, 29, 39]),)) for text in texts])
    for objective in (NextSentence(tokenizer, length=16), SentenceOrder(tokenizer, length=16)):
        rows = objective.rows(corpus, generator_of(0))
        for number, row in enumerate(rows):
            example = objective.example(row, generator_of(0, 0, number))
            ids = np.where(example["labels"] >= 0, example["labels"], example["input_ids"])
            assert len(ids) <= 16
            first, second = np.flatnonzero(ids == tokenizer.sep_token_id).tolist()
            assert ids[0] == tokenizer.cls_token_id
            assert second == len(ids) - 1
            assert example["token_type_ids"].tolist() == [0] * (first + 1) + [1] * (second - first)
            assert first > 1
            assert second > first + 1


def test_both_terms_are_counted(tokenizer: Tokenizer) -> None:
    corpus = TokenCorpus.of(tokenizer, [Document((Part("a b c d e f", [5]),))] * 4)
    objective = SentenceOrder(tokenizer, length=16)
    rows = objective.rows(corpus, generator_of(0))
    batch = objective.batch([objective.example(row, generator_of(0)) for row in rows])
    assert batch["sentence_order_label"].shape == (4,)
    assert objective.counts(batch) == {"masked words": int((batch["labels"] >= 0).sum()), "sentence order": 4}


def test_one_document_has_no_random_sentence(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="the corpus is one document: a sentence that does not follow"):
        NextSentence(tokenizer).rows(corpus_of([3, 4]), generator_of(0))


@pytest.mark.parametrize("objective", [NextSentence, SentenceOrder])
def test_documents_without_sentences(tokenizer: Tokenizer, objective: type[NextSentence | SentenceOrder]) -> None:
    with pytest.raises(InputError, match="needs documents of at least two sentences; each of the 2 of this corpus"):
        objective(tokenizer).rows(corpus_of([30], [40]), generator_of(0))


@pytest.mark.parametrize("objective", [NextSentence, SentenceOrder])
def test_a_row_has_room_for_a_token_of_each(
    tokenizer: Tokenizer, objective: type[NextSentence | SentenceOrder]
) -> None:
    with pytest.raises(InputError, match="length=4: must be at least 5, for 3 tokens are special"):
        objective(tokenizer, length=4)


def test_no_mask(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no mask_token"):
        NextSentence(small(tmp_path, {"mask_token": None}))
