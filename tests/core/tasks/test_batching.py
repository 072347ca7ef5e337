"""Which inputs run together."""

import random

import pytest

from tfx_core.tasks import batching
from tfx_core.tasks.batching import chunks, token_batches


def test_batches_take_every_row_once_longest_first_within_the_budget() -> None:
    lengths = [random.Random(0).randint(1, 60) for _ in range(500)]
    batches = list(token_batches(lengths, 100))
    assert sorted(row for batch in batches for row in batch) == list(range(500))
    ordered = [lengths[row] for batch in batches for row in batch]
    assert ordered == sorted(lengths, reverse=True)
    for batch in batches:
        assert lengths[batch[0]] * len(batch) <= 100
    for batch in batches[:-1]:  # full: one more row would not have fitted
        assert lengths[batch[0]] * (len(batch) + 1) > 100


def test_a_row_longer_than_the_budget_goes_alone() -> None:
    assert list(token_batches([3, 50, 4], 10)) == [[1], [2, 0]]


def test_rows_of_equal_length_keep_their_order() -> None:
    assert list(token_batches([2, 2, 2, 2], 4)) == [[0, 1], [2, 3]]


def test_no_rows_make_no_batch() -> None:
    assert list(token_batches([], 10)) == []


def test_chunks_are_bounded_in_number_and_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "CHUNK_INPUTS", 3)
    monkeypatch.setattr(batching, "CHUNK_CHARACTERS", 10)
    assert list(chunks("abcdefg")) == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    long = ["x" * 4, {"question": "y" * 3, "context": "z" * 4}, ("a", "b"), ["w" * 12], "v"]
    assert list(chunks(long)) == [long[:2], long[2:4], long[4:]]
    assert list(chunks([])) == []


def test_chunks_read_no_further_than_they_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "CHUNK_INPUTS", 2)
    read: list[int] = []
    source = (read.append(number) or str(number) for number in range(10))
    next(chunks(source))
    assert read == [0, 1]
