"""Segments: batches that follow their texts, and no token left out but a tail."""

from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core.errors import InputError
from tfx_training import TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.segments import Segments


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_each_reader_reads_on(tmp_path: Path, batch_size: int) -> None:
    tokenizer = small(tmp_path)
    corpus = TokenCorpus.of(tokenizer, ["hello world hello", "world world", "hello world"] * 5)
    objective = Segments(tokenizer, length=4)
    rows = objective.rows(corpus, generator_of(0))
    order = objective.order(rows, batch_size, generator_of(0))
    batches = [objective.batch([objective.example(rows[each], generator_of(0)) for each in each]) for each in order]
    assert {batch["input_ids"].shape for batch in batches} == {(batch_size, 4)}
    text = np.concatenate([[*corpus.document(number).ids, tokenizer.sep_token_id] for number in range(len(corpus))])
    read = len(batches) * 4
    assert len(text) - batch_size * read <= 4 * batch_size
    for reader in range(batch_size):
        ids = np.concatenate([batch["input_ids"][reader] for batch in batches])
        after = np.concatenate([batch["labels"][reader, 1:] for batch in batches])
        begin = reader * read
        assert ids.tolist() == text[begin : begin + read].tolist()
        assert after.tolist() == text[begin + 1 : begin + read + 1].tolist()
    assert all(objective.counts(batch) == {"loss": 4 * batch_size} for batch in batches)


def test_more_readers_than_segments(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    objective = Segments(tokenizer, length=2)
    rows = objective.rows(TokenCorpus.of(tokenizer, ["hello world hello world"]), generator_of(0))
    with pytest.raises(InputError, match="batch_size=3: the corpus gives 2 rows, not enough for one batch"):
        objective.order(rows, 3, generator_of(0))
    with pytest.raises(InputError, match="length=5: the corpus has 5 tokens, not enough"):
        Segments(tokenizer, length=5).rows(TokenCorpus.of(tokenizer, ["hello world hello world"]), generator_of(0))
