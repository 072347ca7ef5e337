"""Fragments that ProphetNet predicts: statistics, and that labels hold exactly what was hidden."""

from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core.errors import InputError
from tfx_training import TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.fragments import fragments, places_in_fragments
from tfx_training.objectives.future_n_grams import FutureNGrams


def test_a_block_has_one_fragment_of_nine_tokens() -> None:
    rows = [fragments(1 + 8 * 64, generator_of(0, row)) for row in range(200)]  # 10⁵ tokens
    assert {len(places) for places in rows} == {8 * 9}
    places = np.array(rows)
    assert (np.diff(places.reshape(200, 8, 9), axis=2) == 1).all()
    assert ((places.reshape(200, 8, 9) - 1) // 64 == np.arange(8)[:, None]).all()
    assert places.min() >= 1
    first = (places.reshape(-1, 9)[:, 0] - 1) % 64
    assert (first.min(), first.max()) == (0, 55)
    assert np.mean(first) == pytest.approx(27.5, abs=1.5)


@pytest.mark.parametrize("length", [1, 2, 7, 8, 64, 65, 66, 511])
def test_a_short_block_has_less(length: int) -> None:
    expected = sum(int(min(64, length - begin) * 0.15) for begin in range(1, length, 64))
    assert len(fragments(length, generator_of(0))) == expected


def test_tokens_of_a_fragment_are_counted() -> None:
    assert places_in_fragments(np.array([3, 4, 5, 9, 12, 13])).tolist() == [0, 1, 2, 0, 0, 1]
    assert places_in_fragments(np.zeros(0, dtype=np.int64)).tolist() == []


def test_labels_are_what_was_hidden_and_streams_keep_to_their_fragments(tmp_path: Path) -> None:
    tokens = small(tmp_path)
    corpus = TokenCorpus.of(tokens, ["a b c d e f g h i j k l m n o p " * 20] * 4)
    objective = FutureNGrams(tokens, length=131, ngram=3)
    rows = objective.rows(corpus, generator_of(0))
    example = objective.example(rows[1], generator_of(0, 1))
    ids, read = rows[1].ids, example["decoder_position_ids"]
    assert len(example["input_ids"]) == 131
    assert example["input_ids"][-1] == tokens.sep_token_id
    assert example["decoder_input_ids"].tolist() == ids[read].tolist()
    first, second, third = example["labels"]
    assert first.tolist() == ids[read + 1].tolist()
    untouched = np.setdiff1d(np.arange(130), read + 1)
    assert example["input_ids"][untouched].tolist() == ids[untouched].tolist()
    begins = [0, 9]
    assert np.flatnonzero(second == -100).tolist() == begins
    assert np.flatnonzero(third == -100).tolist() == [0, 1, 9, 10]
    assert (second[second != -100] == first[second != -100]).all()
    assert objective.counts(objective.batch([example, example])) == {"loss": 2 * (18 + 16 + 14)}


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    tokens = small(tmp_path)
    with pytest.raises(InputError, match=r"length=511, share=0\.01, block=64: no token would be hidden"):
        FutureNGrams(tokens, share=0.01)
    with pytest.raises(InputError, match=r"length=8, share=0\.15, block=64: no token would be hidden"):
        FutureNGrams(tokens, length=8)
    tokens.mask_token = None
    with pytest.raises(InputError, match="has no mask_token"):
        FutureNGrams(tokens)
