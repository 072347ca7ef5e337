"""Translation pairs: what a row is, what is cut off, which pairs are read, and bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.text.folders import small
from tests.training.grouped import of_groups
from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.translation_pairs import TranslationPairs

NUMBERS = {"en": 0, "fr": 2, "de": 1}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return of_groups(tmp_path, lang2id=NUMBERS)


def pair(one: str, text: str, other: str, translation: str) -> Document:
    return Document((Part(text, group=one), Part(translation, group=other)))


def examples(objective: TranslationPairs, documents: list[Document], epoch: int = 0) -> list[Any]:
    rows = objective.rows(TokenCorpus.of(objective.tokenizer, documents), generator_of(0, epoch))
    return [objective.example(row, generator_of(0, epoch, number)) for number, row in enumerate(rows)]


def test_both_sides_have_positions_and_a_language_of_their_own(tokenizer: Tokenizer) -> None:
    (example,) = examples(TranslationPairs(tokenizer), [pair("en", "hello world hello", "fr", "world world")])
    words = [tokenizer.convert_tokens_to_ids(word) for word in ("hello", "world")]
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    whole = np.where(example["labels"] == IGNORED, example["input_ids"], example["labels"])
    assert whole.tolist() == [first, words[0], words[1], words[0], last, first, words[1], words[1], last]
    assert example["position_ids"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert example["langs"].tolist() == [0] * 5 + [2] * 4
    assert example["attention_mask"].tolist() == [1] * 9


def test_rows_are_filled_up(tokenizer: Tokenizer) -> None:
    objective = TranslationPairs(tokenizer)
    made = examples(objective, [pair("en", "hello world hello", "fr", "world"), pair("en", "hello", "fr", "world")])
    batch = objective.batch(made)
    assert {tuple(column.shape) for column in batch.values()} == {(2, 8)}
    assert batch["attention_mask"].sum(1).tolist() == [8, 6]
    assert set(batch["input_ids"][1, 6:].tolist()) == {tokenizer.pad_token_id}
    assert set(batch["labels"][1, 6:].tolist()) == {IGNORED}
    assert objective.counts(batch)["loss"] == sum(int((each["labels"] != IGNORED).sum()) for each in made)


def test_words_are_hidden_on_both_sides_and_special_tokens_never(tokenizer: Tokenizer) -> None:
    text = "hello world " * 9
    made = examples(TranslationPairs(tokenizer), [pair("en", text, "fr", text)] * 2600)
    words = tokenizer.convert_tokens_to_ids(["hello", "world"])
    labels = np.stack([example["labels"] for example in made])
    hidden = labels != IGNORED
    assert hidden.size > 100_000
    assert hidden[:, [0, 19, 20, 39]].sum() == 0
    assert hidden.mean() == pytest.approx(0.15, abs=0.005)
    assert hidden[:, :20].mean() == pytest.approx(hidden[:, 20:].mean(), abs=0.005)
    ids = np.stack([example["input_ids"] for example in made])
    assert (ids == tokenizer.mask_token_id)[hidden].mean() == pytest.approx(0.8, abs=0.01)
    assert {*labels[hidden].tolist()} == {*words}
    kept = (ids == labels)[hidden].mean()
    assert kept == pytest.approx(0.1, abs=0.01)


def test_a_long_pair_is_cut(tokenizer: Tokenizer) -> None:
    objective = TranslationPairs(tokenizer, length=10)
    (example,) = examples(objective, [pair("en", "hello " * 20, "fr", "world world")])
    assert len(example["input_ids"]) == 10
    assert example["position_ids"].tolist() == [*range(6), *range(4)]


def test_pairs_of_languages_are_read_in_smoothed_shares(tokenizer: Tokenizer) -> None:
    documents = [pair("en", "hello", "fr", "world")] * 900 + [pair("de", "world", "en", "hello")] * 100
    documents.append(Document.of("hello"))  # no pair, and of no language
    with pytest.raises(InputError, match="texts of the language ''; this tokenizer knows de, en, fr"):
        examples(TranslationPairs(tokenizer), documents)
    documents[-1] = Document((Part("hello", group="en"),))
    objective = TranslationPairs(tokenizer, language_exponent=0.5)
    rows = objective.rows(TokenCorpus.of(tokenizer, documents), generator_of(0))
    assert [row.languages for row in rows].count(("en", "fr")) == 750
    assert [row.languages for row in rows].count(("de", "en")) == 250


@pytest.mark.parametrize(
    ("documents", "wrong"),
    [
        ([pair("en", "hello", "en", "world")], "the corpus is in one language, 'en': translation pairs are"),
        ([Document((Part("hello", group="en"),))], "the corpus is in one language, 'en'"),
        ([Document((Part("hello", group=name),)) for name in ("en", "fr")], "no document of the corpus is a pair"),
        ([pair("en", "hello", "nl", "world")], "the language 'nl'; this tokenizer knows de, en, fr: give each text"),
    ],
)
def test_a_corpus_that_does_not_do(tokenizer: Tokenizer, documents: list[Document], wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        examples(TranslationPairs(tokenizer), documents)


def test_a_tokenizer_that_does_not_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this tokenizer numbers no languages"):
        TranslationPairs(small(tmp_path))
    tokenizer = of_groups(tmp_path / "other", lang2id=NUMBERS)
    with pytest.raises(InputError, match="length=5"):
        TranslationPairs(tokenizer, length=5)
    tokenizer.mask_token = None
    with pytest.raises(InputError, match="mask_token"):
        TranslationPairs(tokenizer)
