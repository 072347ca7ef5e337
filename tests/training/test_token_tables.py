"""Vocabularies that leave ids out: nothing takes the number of tokens for one more than the greatest id."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import BERT, VOCABULARY, read, small, write
from tfx_core import Tokenizer
from tfx_training import TokenCorpus, open_corpus, write_corpus
from tfx_training.objective import generator_of
from tfx_training.objectives.gap_choice import scored_as
from tfx_training.objectives.masked_words import MaskedWords
from tfx_training.objectives.masking import Masking
from tfx_training.token_tables import rows_of_table


def with_gap(folder: Path, number: int) -> Tokenizer:
    """The small tokenizer, in which ``the`` has another id, behind all others."""
    small(folder / "whole").save_pretrained(folder / "gap")
    path = folder / "gap" / "tokenizer.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["model"]["vocab"]["the"] = number
    write(folder / "gap", {"tokenizer.json": whole})
    (folder / "gap" / "vocab.txt").unlink(missing_ok=True)
    return read(folder / "gap", BERT)


@pytest.mark.parametrize("number", [len(VOCABULARY) + 50, 70_000])
def test_ids_behind_a_gap_are_kept(number: int, tmp_path: Path) -> None:
    tokenizer = with_gap(tmp_path, number)
    assert (len(tokenizer), rows_of_table(tokenizer)) == (len(VOCABULARY), number + 1)
    wanted = tokenizer("the a the", add_special_tokens=False)["input_ids"]
    assert number in wanted
    memory = TokenCorpus.of(tokenizer, ["the a the"])
    assert memory.ids.tolist() == wanted
    assert memory.ids.dtype == (np.uint16 if number < 65_536 else np.uint32)
    write_corpus(["the a the"], tokenizer, tmp_path / "corpus")
    assert open_corpus(tmp_path / "corpus", tokenizer).ids.tolist() == wanted


def test_models_and_tables_have_rows_behind_a_gap(tmp_path: Path) -> None:
    tokenizer = with_gap(tmp_path, 314)
    objective = MaskedWords(tokenizer, length=16)
    assert objective.of_tokenizer()["vocab_size"] == 315
    row = objective.rows(TokenCorpus.of(tokenizer, ["the a the"]), generator_of(0))[0]
    assert len(objective.example(row, generator_of(0))["input_ids"]) == 5
    assert Masking(tokenizer).usual[-1] == 314
    scored = scored_as(tokenizer)
    assert len(scored) == 315
    assert scored[314] >= 0  # as the first piece that is the same word
    assert (scored[len(VOCABULARY) : 314] == -1).all()


def test_without_a_gap_there_are_as_many_rows_as_tokens(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    assert rows_of_table(tokenizer) == len(tokenizer)
    tokenizer.add_tokens(["new"])
    assert rows_of_table(tokenizer) == len(tokenizer) == len(VOCABULARY) + 1
