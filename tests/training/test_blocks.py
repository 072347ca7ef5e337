"""Packed rows: every token once and in order, of all documents or of some, and where documents begin."""

from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core.errors import InputError
from tfx_training import TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.rows import Blocks

TEXTS = ["hello world", "hello", "world hello world hello", "world", "hello hello hello"]


@pytest.fixture
def corpus(tmp_path: Path) -> TokenCorpus:
    return TokenCorpus.of(small(tmp_path), TEXTS)


def packed(corpus: TokenCorpus, documents: list[int], between: list[int]) -> list[int]:
    """The documents after one another."""
    return [token for number in documents for token in [*corpus.document(number).ids.tolist(), *between]]


@pytest.mark.parametrize("documents", [None, [0, 1, 2, 3, 4], [1, 4], [4, 0, 2]])
@pytest.mark.parametrize("between", [[], [102], [102, 101]])
@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("begin", [0, 1])
def test_rows_are_the_text_in_pieces(
    corpus: TokenCorpus, documents: list[int] | None, between: list[int], ahead: int, begin: int
) -> None:
    chosen = None if documents is None else np.asarray(documents)
    rows = Blocks(corpus, 1, between, begin=begin, ahead=ahead, documents=chosen)
    text = packed(corpus, [0, 1, 2, 3, 4] if documents is None else documents, between)
    assert [row.ids[0] for row in rows] == text[begin : len(text) - ahead]
    longer = Blocks(corpus, 2, between, begin=begin, ahead=ahead, documents=chosen) if len(text) > 3 else rows
    for number, row in enumerate(longer):
        size = 2 if longer is not rows else 1
        assert row.ids.tolist() == text[begin + number * size :][: size + ahead]


def test_documents_begin_where_they_do(corpus: TokenCorpus) -> None:
    lengths = [len(corpus.document(number).ids) + 1 for number in range(5)]
    begins = {int(end) for end in np.cumsum(lengths)}
    rows = Blocks(corpus, 4, [102])
    found = {number * 4 + int(place) for number in range(len(rows)) for place in rows.begins(number)}
    assert found == {place for place in begins if place % 4 and place < len(rows) * 4}


def test_a_generator_draws_any_place_of_the_first_row(corpus: TokenCorpus) -> None:
    total = len(corpus.ids)
    firsts = {tuple(Blocks(corpus, 3, begin=generator_of(0, epoch))[0].ids.tolist()) for epoch in range(50)}
    assert firsts == {tuple(corpus.ids[place : place + 3].tolist()) for place in range(3)}
    whole = Blocks(corpus, total, begin=generator_of(0))
    assert len(whole) == 1
    assert whole[0].ids.tolist() == corpus.ids.tolist()


def test_too_few_tokens_are_no_row(corpus: TokenCorpus) -> None:
    total = len(corpus.ids)
    with pytest.raises(InputError, match=f"length={total + 1}: the corpus has {total} tokens, not enough for one row"):
        Blocks(corpus, total + 1, begin=generator_of(0))
    with pytest.raises(InputError, match="not enough"):
        Blocks(corpus, total, ahead=1)
    with pytest.raises(InputError, match="length=1: the corpus has 0 tokens"):
        Blocks(corpus, 1, documents=np.zeros(0, dtype=np.int64))
