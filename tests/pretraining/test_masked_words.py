"""Masked words in several languages, and with the heads of the architectures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tests.pretraining.case import Tried
from tfx_core.errors import InputError
from tfx_core.model.heads import IGNORED
from tfx_training import Document, Part, TokenCorpus, load_objective
from tfx_training.objective import Objective, generator_of

NUMBERS = {"en": 0, "fr": 1}


def multilingual(folder: Path, groups: tuple[str, ...], **settings: Any) -> tuple[Objective[Any, Any], TokenCorpus]:
    """Masked words with XLM's tokenizer, and a corpus in these languages."""
    files = {**case_of("xlm").released(), "config.json": {"model_type": "xlm"}, "tokenizer_config.json": settings}
    tokenizer = tfx_core.load_tokenizer(write(folder, files))
    documents = [Document((Part("a b c d e f g h", group=group),)) for group in groups for _ in range(4)]
    return load_objective("masked-words")(tokenizer, length=12), TokenCorpus.of(tokenizer, documents)


def test_a_model_is_told_the_language_of_a_row(tmp_path: Path) -> None:
    objective, corpus = multilingual(tmp_path, ("fr", "en"), lang2id=NUMBERS)
    rows = objective.rows(corpus, generator_of(0))
    batch = objective.batch([objective.example(row, generator_of(0)) for row in rows])
    assert [row.group for row in rows] == ["fr"] * 4 + ["en"] * 4
    assert batch["langs"].unique(dim=1).flatten().tolist() == [1] * 4 + [0] * 4
    tiny = {name: value for name, value in case_of("xlm").tiny.items() if name not in ("vocab_size", "n_langs")}
    models = objective.new_models("xlm", seed=0, **tiny)
    assert models["model"].config.n_langs == 2
    trainee = objective.trainee(models).eval()
    with torch.no_grad():
        told, untold = (trainee(each).losses["loss"] for each in (batch, {**batch, "langs": batch["langs"] * 0}))
    assert told != untold


def test_a_word_of_bytes_begins_at_a_blank(tmp_path: Path) -> None:
    files = {**case_of("roberta").released(), "config.json": {"model_type": "roberta"}}
    tokenizer = tfx_core.load_tokenizer(write(tmp_path, files))
    words = ["ab's", " (ab)", " ab's", " a,"]
    corpus = TokenCorpus.of(tokenizer, ["".join(words)])
    sizes = [len(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words]
    objective = load_objective("masked-words")(tokenizer, length=40, whole_words=True, share=max(sizes) / sum(sizes))
    (row,) = objective.rows(corpus, generator_of(0))
    for seed in range(20):
        hidden = objective.example(row, generator_of(0, seed))["labels"][1:-1] != IGNORED
        parts = np.split(hidden, np.cumsum(sizes)[:-1])
        assert all(part.all() or not part.any() for part in parts)


def test_a_language_that_the_tokenizer_has_no_number_for(tmp_path: Path) -> None:
    objective, corpus = multilingual(tmp_path, ("fr", "de"), lang2id=NUMBERS)
    with pytest.raises(InputError, match=r"the corpus has texts in \['de'\]; the lang2id of the tokenizer has \['en'"):
        objective.rows(corpus, generator_of(0))


def test_a_tokenizer_without_numbers_tells_no_language(tmp_path: Path) -> None:
    objective, corpus = multilingual(tmp_path, ("fr", "en"))
    row = objective.rows(corpus, generator_of(0))[0]
    assert "langs" not in objective.example(row, generator_of(0))


@pytest.mark.parametrize(
    ("name", "model_type", "logits"),
    [
        ("masked-words", "roberta", "logits"),
        ("next-sentence", "bert", "prediction_logits"),
        ("sentence-order", "albert", "prediction_logits"),
    ],
)
def test_losses_and_guesses_are_those_of_the_whole_model(
    name: str, model_type: str, logits: str, tmp_path: Path
) -> None:
    tried = Tried(name, model_type, tmp_path)
    objective = tried.objective
    rows = objective.rows(tried.corpus, generator_of(0))
    batch = objective.batch([objective.example(rows[each], generator_of(0, each)) for each in range(6)])
    models = tried.models()
    trainee = objective.trainee(models).eval()
    with torch.no_grad():
        outcome, whole = trainee(batch), models["model"](**batch, return_dict=True)
    assert float(sum(outcome.losses.values())) == pytest.approx(float(whole.loss), rel=1e-5)
    hidden = batch["labels"] != IGNORED
    right = (whole[logits].argmax(-1) == batch["labels"])[hidden].float().mean()
    assert next(iter(outcome.right.values())) == right
    assert not trainee.train()(batch).right


def test_perplexity_is_of_the_mean_loss(tmp_path: Path) -> None:
    tried = Tried("masked-words", "bert", tmp_path)
    measures = tried.objective.measures({"loss": np.log(20)}, {"loss": 0.25}, tried.corpus)
    assert measures["perplexity"] == pytest.approx(20)
    assert measures["loss accuracy"] == 0.25
    assert tried.objective.main_measure in measures


def test_texts_without_a_language_do_not_stand_beside_others(tmp_path: Path) -> None:
    objective, corpus = multilingual(tmp_path, ("", "en"), lang2id=NUMBERS)
    with pytest.raises(InputError, match=r"in \[''\].*of all texts or of none"):
        objective.rows(corpus, generator_of(0, 0))
    objective, corpus = multilingual(tmp_path, ("",), lang2id=NUMBERS)
    assert len(objective.rows(corpus, generator_of(0, 0)))
