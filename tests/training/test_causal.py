"""Packed causal text: rows of one control code or language, documents apart, what is reported, and bad input."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import small
from tests.training.grouped import of_groups
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.causal import NextTokens, Stretch


def document(group: str, text: str) -> Document:
    return Document((Part(text, group=group),))


MIXED = [
    document("Books", "hello hello hello hello"),
    document("News", "world world world"),
    document("Books", "hello hello"),
    document("News", "world world world world"),
]


def rows_of(objective: NextTokens, corpus: TokenCorpus, epoch: int = 0) -> list[Stretch]:
    return list(objective.rows(corpus, generator_of(0, epoch)))


def test_a_row_is_of_one_control_code_which_stands_in_front(tmp_path: Path) -> None:
    tokenizer = of_groups(tmp_path, ("Books", "News"))
    objective = NextTokens(tokenizer, length=3)
    corpus = TokenCorpus.of(tokenizer, MIXED)
    words = {"Books": tokenizer.convert_tokens_to_ids("hello"), "News": tokenizer.convert_tokens_to_ids("world")}
    groups = set()
    for row in rows_of(objective, corpus):
        ids = objective.example(row, generator_of(0))["input_ids"].tolist()
        groups.add(row.group)
        assert len(ids) == 3
        assert ids[0] == tokenizer.control_codes[row.group]
        assert {*ids[1:]} <= {words[row.group], tokenizer.sep_token_id}
    assert groups == {"Books", "News"}


def test_a_row_is_in_one_language_and_says_in_which(tmp_path: Path) -> None:
    tokenizer = of_groups(tmp_path, lang2id={"Books": 1, "News": 0})
    objective = NextTokens(tokenizer, length=3)
    corpus = TokenCorpus.of(tokenizer, MIXED)
    for row in rows_of(objective, corpus):
        example = objective.example(row, generator_of(0))
        assert example["langs"].tolist() == [{"Books": 1, "News": 0}[row.group]] * 3


def test_one_language_is_not_told(tmp_path: Path) -> None:
    tokenizer = of_groups(tmp_path, lang2id={"en": 0})
    row = NextTokens(tokenizer, length=3).rows(TokenCorpus.of(tokenizer, MIXED), generator_of(0))[0]
    assert "langs" not in NextTokens(tokenizer, length=3).example(row, generator_of(0))


def test_a_group_without_a_row_has_none(tmp_path: Path) -> None:
    tokenizer = of_groups(tmp_path, ("Books", "News"))
    corpus = TokenCorpus.of(tokenizer, [*MIXED[::2], document("News", "world")])
    assert {row.group for row in rows_of(NextTokens(tokenizer, length=4), corpus)} == {"Books"}
    with pytest.raises(InputError, match="length=20: no group of the corpus has enough tokens for one row"):
        NextTokens(tokenizer, length=20).rows(corpus, generator_of(0))


def test_groups_are_nothing_to_a_tokenizer_without(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    corpus = TokenCorpus.of(tokenizer, MIXED)
    assert {row.group for row in rows_of(NextTokens(tokenizer, length=8), corpus)} == {""}
    with pytest.raises(InputError, match="length=50: the corpus has 17 tokens, not enough for one row"):
        NextTokens(tokenizer, length=50).rows(corpus, generator_of(0))


def test_documents_apart_have_positions_and_no_first_label(tmp_path: Path) -> None:
    objective = NextTokens(small(tmp_path), length=5, documents="apart")
    row = Stretch(np.asarray([7, 8, 102, 9, 9]), np.asarray([3]), "")
    example = objective.example(row, generator_of(0))
    assert example["position_ids"].tolist() == [0, 1, 2, 0, 1]
    assert example["labels"].tolist() == [IGNORED, 8, 102, IGNORED, 9]
    assert objective.counts(objective.batch([example])) == {"loss": 3}
    whole = objective.example(Stretch(row.ids, np.asarray([], dtype=np.int64), ""), generator_of(0))
    assert whole["position_ids"].tolist() == [0, 1, 2, 3, 4]


def test_every_token_of_the_corpus_is_in_some_row_of_some_epoch(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    corpus = TokenCorpus.of(tokenizer, ["hello world"] * 5)
    objective = NextTokens(tokenizer, length=7)
    seen = {tuple(row.ids.tolist()) for epoch in range(40) for row in rows_of(objective, corpus, epoch)}
    assert len(seen) == 3  # the text repeats itself after as many tokens


def test_bits_per_byte_are_those_of_the_whole_text(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    texts = ["hello world", "world"]
    corpus = TokenCorpus.of(tokenizer, texts)
    tokens, size = sum(len(tokenizer.tokenize(text)) + 1 for text in texts), len("hello worldworld")
    reported = NextTokens(tokenizer).measures({"loss": 2 * math.log(2)}, {"loss": 0.5}, corpus)
    bits = pytest.approx(2 * tokens / size)
    assert reported == {"loss": 2 * math.log(2), "loss accuracy": 0.5, "bits per byte": bits}


@pytest.mark.parametrize(
    ("codes", "documents", "wrong"),
    [
        ((), ["hello"], "length=512: the corpus has 2 tokens, not enough for one row"),
        (("Books",), MIXED, "control code 'News'; this tokenizer knows Books: give each text one of these"),
        (("Books", "News"), ["hello world"], "control code ''; this tokenizer knows Books, News"),
        (
            ("Books", "News"),
            [*MIXED, Document((Part("hello", group="Books"), Part("world", group="News")))],
            "document 4 of the corpus has texts of several groups",
        ),
    ],
)
def test_a_corpus_that_does_not_do(
    tmp_path: Path, codes: tuple[str, ...], documents: list[Document], wrong: str
) -> None:
    tokenizer = of_groups(tmp_path, codes)
    with pytest.raises(InputError, match=wrong):
        NextTokens(tokenizer).rows(TokenCorpus.of(tokenizer, documents), generator_of(0))


def test_options_that_do_not_do(tmp_path: Path) -> None:
    tokenizer = of_groups(tmp_path, ("Books", "News"))
    with pytest.raises(InputError, match='documents="apart": a row has one control code'):
        NextTokens(tokenizer, documents="apart")
    with pytest.raises(InputError, match="length=1: must be an integer at least 2"):
        NextTokens(tokenizer, length=1)
    with pytest.raises(InputError, match="documents='mixed'"):
        NextTokens(tokenizer, documents="mixed")  # type: ignore[arg-type]
