"""Spans that marks stand for: lengths, statistics, and that input and target together are the text."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.text.folders import small
from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.span_corruption import SpanCorruption, sentinels_of
from tfx_training.objectives.spans import random_partition, random_spans, raw_length, span_counts, without_spans

SENTINELS = range(11_000, 10_000, -1)


def tokenizer_with(folder: Path, count: int, mark: str = "<extra_id_{}>") -> Tokenizer:
    """A small vocabulary with so many sentinels."""
    tokens = small(folder)
    sentinels = [mark.format(number) for number in reversed(range(count))]
    tokens.add_special_tokens({"eos_token": "[SEP]", "additional_special_tokens": sentinels})
    return tokens


def test_the_published_lengths_are_exact() -> None:
    assert raw_length(512) == (568, 114)
    assert span_counts(568) == (85, 28)
    hidden = random_spans(568, 0.15, 3.0, generator_of(0))
    ids = np.arange(568)
    assert len(without_spans(ids, hidden, SENTINELS)) + 1 == 512
    assert len(without_spans(ids, ~hidden, SENTINELS)) + 1 == 114


@pytest.mark.parametrize("length", [3, 4, 64, 100, 511, 1024])
@pytest.mark.parametrize(("density", "mean_span"), [(0.15, 3.0), (0.5, 3.0), (0.1, 1.0), (0.3, 10.0)])
def test_no_longer_text_fits(length: int, density: float, mean_span: float) -> None:
    raw, target = raw_length(length, density, mean_span)

    def lengths(raw: int) -> tuple[int, int]:
        hidden = random_spans(raw, density, mean_span, generator_of(raw))
        ids = np.arange(raw)
        return len(without_spans(ids, hidden, SENTINELS)) + 1, len(without_spans(ids, ~hidden, SENTINELS)) + 1

    assert lengths(raw)[0] <= length < lengths(raw + 1)[0]
    assert lengths(raw)[1] == target


def test_statistics_over_many_tokens() -> None:
    hidden = [random_spans(568, 0.15, 3.0, generator_of(0, number)) for number in range(200)]
    assert sum(map(len, hidden)) > 10**5
    assert np.mean(hidden) == pytest.approx(0.15, abs=0.005)
    spans = [int((np.diff(each, prepend=False) & each).sum()) for each in hidden]
    assert sum(map(np.sum, hidden)) / sum(spans) == pytest.approx(3.0, abs=0.05)
    # nowhere but at the ends is a token safer than elsewhere
    shares = np.mean(hidden, axis=0)[10:-10].reshape(4, -1).mean(axis=1)
    assert shares == pytest.approx([0.15] * 4, abs=0.01)


def test_all_partitions_are_equally_likely() -> None:
    drawn = [tuple(random_partition(6, 3, generator_of(0, number)).tolist()) for number in range(20_000)]
    every = {(first, second - first, 6 - second) for first, second in combinations(range(1, 6), 2)}
    assert set(drawn) == every
    assert all(drawn.count(each) / len(drawn) == pytest.approx(1 / len(every), abs=0.01) for each in every)


@given(
    st.integers(2, 300),
    st.floats(0.01, 0.9),
    st.floats(1, 10),
    st.integers(0, 2**32),
)
def test_input_and_target_give_back_the_text(length: int, density: float, mean_span: float, seed: int) -> None:
    ids = generator_of(seed, 1).integers(0, 10_000, length)
    hidden = random_spans(length, density, mean_span, generator_of(seed))
    source = without_spans(ids, hidden, SENTINELS).tolist()
    target = without_spans(ids, ~hidden, SENTINELS).tolist()
    marks = [each for each in source if each > 10_000]
    assert marks == [each for each in target if each > 10_000] == list(SENTINELS)[: len(marks)]
    assert source[0] < 10_000  # what is left comes first
    assert source[-1] == marks[-1]  # and what is hidden last
    ends = [target.index(mark) for mark in marks[1:]] + [len(target)]
    spans = {mark: target[target.index(mark) + 1 : end] for mark, end in zip(marks, ends, strict=True)}
    assert all(spans.values())
    assert [token for each in source for token in spans.get(each, [each])] == ids.tolist()


def test_the_objective_gives_the_lengths_that_it_says(tmp_path: Path) -> None:
    tokens = tokenizer_with(tmp_path, 30)
    objective = SpanCorruption(tokens)
    corpus = TokenCorpus.of(tokens, ["a b c d e f g h i j " * 200] * 3)
    rows = objective.rows(corpus, generator_of(0))
    example = objective.example(rows[0], generator_of(0, 0))
    assert len(rows[0].ids) == 568
    assert len(example["input_ids"]) == 512
    assert len(example["labels"]) == 114
    assert example["input_ids"][-1] == example["labels"][-1] == tokens.eos_token_id
    first, second, *_ = (each for each in example["labels"] if each in sentinels_of(tokens))
    assert tokens.convert_ids_to_tokens([first, second]) == ["<extra_id_0>", "<extra_id_1>"]
    assert objective.counts(objective.batch([example] * 2)) == {"loss": 228}


def test_languages_are_drawn_by_their_smoothed_share(tmp_path: Path) -> None:
    tokens = tokenizer_with(tmp_path, 30)
    texts = {"de": "a b c d " * 2000, "ro": "e f g h " * 200, "tlh": "i"}
    corpus = TokenCorpus.of(tokens, [Document((Part(text, group=name),)) for name, text in texts.items()])
    objective = SpanCorruption(tokens, length=40)  # of 44 tokens
    rows = objective.rows(corpus, generator_of(0))
    marks = dict(zip(tokens.convert_tokens_to_ids(list("abcdefgh")), ["de"] * 4 + ["ro"] * 4, strict=True))
    languages = [{marks[each] for each in row.ids.tolist()} for row in rows]
    assert all(len(each) == 1 for each in languages)  # a row is of one language
    counts = np.array([languages.count({"de"}), languages.count({"ro"})])
    assert counts.sum() == pytest.approx(8800 / objective.raw_length, abs=3)
    assert counts[0] / counts[1] == pytest.approx(10**0.3, rel=0.03)
    as_they_are = SpanCorruption(tokens, length=40, language_exponent=1.0).rows(corpus, generator_of(0))
    assert sum(marks[int(row.ids[0])] == "ro" for row in as_they_are) in (17, 18)  # 800 tokens


def test_sentinels_may_be_pieces_of_the_vocabulary(tmp_path: Path) -> None:
    tokens = tokenizer_with(tmp_path, 3, "▁<extra_id_{}>")
    assert tokens.convert_ids_to_tokens(sentinels_of(tokens)) == [f"▁<extra_id_{number}>" for number in range(3)]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no eos_token.*tokenizer\.eos_token = "):
        SpanCorruption(small(tmp_path / "none"))
    tokens = tokenizer_with(tmp_path / "few", 3)
    with pytest.raises(InputError, match=r"has 3 sentinels <extra_id_…>, but length=512 hides 28 spans; add some"):
        SpanCorruption(tokens)
    with pytest.raises(InputError, match="length=2: an input needs 3 tokens"):
        SpanCorruption(tokens, length=2)
    with pytest.raises(InputError, match="density=0: must be"):
        SpanCorruption(tokens, density=0)
    with pytest.raises(InputError, match=r"mean_span=0\.5: must be"):
        SpanCorruption(tokens, mean_span=0.5)
    short = TokenCorpus.of(tokens, ["a b c"])
    with pytest.raises(
        InputError, match="length=20: a row is made of 21 tokens of one language, and the corpus has only 3"
    ):
        SpanCorruption(tokens, length=20).rows(short, generator_of(0))
    with pytest.raises(InputError, match="a text of 1 tokens"):
        random_spans(1, 0.15, 3.0, generator_of(0))
    with pytest.raises(InputError, match="2 spans are hidden, but there are only 1 sentinels"):
        without_spans(np.arange(4), np.array([True, False, True, False]), [9])
