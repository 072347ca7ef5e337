"""Rows of whole sentences, of one language each."""

from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core.errors import InputError
from tfx_training import Document, Part, TokenCorpus
from tfx_training.corpus import Tokens
from tfx_training.objective import generator_of
from tfx_training.objectives.masked_words import MaskedWords
from tfx_training.packing import PackedRows, Packing, Sentences, packed_rows

SEPARATOR = 0


def corpus_of(*documents: list[int], groups: list[str] | None = None) -> TokenCorpus:
    """Documents of sentences of so many tokens, the ids of which go on from 1, each of a language."""
    sizes = [size for document in documents for size in document]
    names = groups or [""] * len(documents)
    known = tuple(dict.fromkeys(names))
    return TokenCorpus(
        ids=np.arange(1, sum(sizes) + 1, dtype=np.uint32),
        word_starts=np.ones(sum(sizes), dtype=np.bool_),
        sentence_ends=np.cumsum(sizes),
        document_ends=np.cumsum([len(document) for document in documents]),
        groups=np.repeat([known.index(name) for name in names], [len(document) for document in documents]),
        group_names=known,
        size=sum(sizes),
    )


def rows_of(corpus: TokenCorpus, packing: Packing, room: int) -> list[list[int]]:
    rows = packed_rows(corpus, SEPARATOR, room, generator_of(0), packing=packing)
    return [row.tokens.ids.tolist() for row in rows]


CORPUS = corpus_of([2, 3], [4], [1, 1])


def test_full_sentences_go_across_documents_with_a_separator_between() -> None:
    assert rows_of(CORPUS, "full-sentences", 8) == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 0, 10, 11]]


def test_sentences_of_one_document() -> None:
    assert rows_of(CORPUS, "document-sentences", 8) == [[1, 2, 3, 4, 5], [6, 7, 8, 9], [10, 11]]


def test_blocks_are_full_and_the_rest_is_none() -> None:
    assert rows_of(CORPUS, "blocks", 4) == [[1, 2, 3, 4], [5, 0, 6, 7], [8, 9, 0, 10]]


def test_separators_between_sentences() -> None:
    stream = Sentences(CORPUS, SEPARATOR, between="sentences")
    assert stream.between(0, len(stream)).ids.tolist() == [1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 9, 0, 10, 0, 11]


def test_a_sentence_that_is_longer_than_a_row_is_cut() -> None:
    corpus = corpus_of([2, 7, 2], [1])
    assert rows_of(corpus, "full-sentences", 3) == [[1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [12]]


def test_a_document_without_sentences_fills_rows() -> None:
    assert rows_of(corpus_of([7], [2]), "full-sentences", 3) == [[1, 2, 3], [4, 5, 6], [7], [8, 9]]


@pytest.mark.parametrize("packing", ["full-sentences", "document-sentences", "blocks"])
def test_every_token_is_in_one_row(packing: Packing) -> None:
    generator = np.random.default_rng(0)
    corpus = corpus_of(*(generator.integers(1, 30, generator.integers(1, 9)).tolist() for _ in range(40)))
    rows = rows_of(corpus, packing, 20)
    tokens = [number for row in rows for number in row if number != SEPARATOR]
    assert all(0 < len(row) <= 20 for row in rows)
    expected = corpus.ids.tolist()
    assert tokens == (expected[: len(tokens)] if packing == "blocks" else expected)
    assert len(expected) - len(tokens) < 20


def test_a_corpus_that_gives_no_row() -> None:
    with pytest.raises(InputError, match="a row has 14 tokens beside special ones; the corpus has too few for one"):
        rows_of(CORPUS, "blocks", 14)


def test_a_row_is_of_one_language() -> None:
    corpus = corpus_of([2, 2], [3], [2], groups=["en", "fr", "en"])
    rows = packed_rows(corpus, SEPARATOR, 10, generator_of(0))
    assert [(row.group, row.tokens.ids.tolist()) for row in rows] == [
        ("en", [1, 2, 3, 4, 0, 8, 9]),
        ("fr", [5, 6, 7]),
    ]


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_languages_are_read_as_often_as_published(exponent: float) -> None:
    corpus = corpus_of([10] * 9000, [10] * 900, [10] * 100, groups=["en", "fr", "sw"])
    rows = packed_rows(corpus, SEPARATOR, 10, generator_of(0), exponent=exponent)
    shares = np.array([0.9, 0.09, 0.01]) ** exponent
    found = [sum(row.group == name for row in rows) / len(rows) for name in ("en", "fr", "sw")]
    assert found == pytest.approx((shares / shares.sum()).tolist(), abs=0.005)


def test_each_epoch_draws_other_rows_of_a_large_language() -> None:
    corpus = corpus_of([10] * 300, [10] * 3, groups=["en", "sw"])

    def english(epoch: int) -> PackedRows:
        return packed_rows(corpus, SEPARATOR, 10, generator_of(0, epoch), exponent=0.3)

    assert [row.tokens.ids[0] for row in english(0)] == [row.tokens.ids[0] for row in english(0)]
    assert [row.tokens.ids[0] for row in english(0)] != [row.tokens.ids[0] for row in english(1)]


def test_a_row_stands_between_special_tokens(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    objective = MaskedWords(tokenizer, length=40)
    corpus = TokenCorpus.of(tokenizer, ["hello world", "the same"])
    row = objective.rows(corpus, generator_of(0))[0]
    example = objective.example(row, generator_of(0))
    ids = np.where(example["labels"] >= 0, example["labels"], example["input_ids"])
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    texts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("hello world", "the same")]
    assert ids.tolist() == [cls, *texts[0], sep, *texts[1], sep]


def test_a_batch_is_filled_up(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    objective = MaskedWords(tokenizer, length=40, packing="document-sentences")
    corpus = TokenCorpus.of(tokenizer, ["hello world", "the"])
    rows = objective.rows(corpus, generator_of(0))
    batch = objective.batch([objective.example(row, generator_of(0)) for row in rows])
    assert batch["attention_mask"].sum(1).tolist() == [len(row.tokens.ids) + 2 for row in rows]
    assert (batch["input_ids"][batch["attention_mask"] == 0] == tokenizer.pad_token_id).all()
    assert (batch["labels"][batch["attention_mask"] == 0] == -100).all()
    assert objective.counts(batch) == {"loss": 2}


def test_an_empty_corpus(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    with pytest.raises(InputError, match="the corpus has no tokens"):
        TokenCorpus.of(tokenizer, ["", Document((Part(""),))])


def test_words_are_those_of_the_corpus() -> None:
    stream = Sentences(CORPUS, SEPARATOR)
    tokens = stream.between(0, len(stream))
    assert isinstance(tokens, Tokens)
    assert tokens.word_starts.all()
