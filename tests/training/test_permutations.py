"""What XLNet predicts, and in which order it reads: statistics, who sees whom, segments, streams."""

from pathlib import Path

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core.errors import InputError
from tfx_training import Document, Part, TokenCorpus
from tfx_training.corpus.tokens import Flags
from tfx_training.objective import generator_of
from tfx_training.objectives.permutation import PermutedTokens, two_segments
from tfx_training.objectives.permutations import local_permutation, permutation_of_halves, sampled_spans
from tfx_training.objectives.segment_pairs import cut_sizes
from tfx_training.streams import Stream, side_by_side


def everything(length: int) -> Flags:
    return np.ones(length, dtype=np.bool_)


def runs(chosen: Flags) -> list[int]:
    """The lengths of what is chosen in a row."""
    edges = np.flatnonzero(np.diff(chosen, prepend=False, append=False))
    return (edges[1::2] - edges[::2]).tolist()


def test_spans_are_as_long_as_published() -> None:
    drawn = [sampled_spans(everything(1000), everything(1000), None, generator_of(0, row)) for row in range(600)]
    lengths = np.array([length for each in drawn for length in runs(each)])
    shares = np.bincount(lengths, minlength=6)[1:] / len(lengths)
    assert shares == pytest.approx(np.array([60, 30, 20, 15, 12]) / 137, abs=0.01)
    # a span of n tokens has 6 n around it
    assert np.mean(drawn) == pytest.approx(1 / 7, abs=0.003)


def test_exactly_as_many_are_predicted_as_asked() -> None:
    usual = everything(256)
    usual[[100, -2, -1]] = False
    rows = [
        (
            sampled_spans(everything(256), everything(256), 43, generator_of(0, row)),
            sampled_spans(usual, everything(256), 42, generator_of(1, row)),
        )
        for row in range(200)
    ]
    assert {(int(one.sum()), int(other.sum())) for one, other in rows} == {(43, 42)}
    assert not any(other[~usual].any() for _, other in rows)
    assert np.mean(rows) == pytest.approx(1 / 6, abs=0.001)  # 85 of 512
    # single tokens make up for spans that did not fit, spread over the text
    assert np.mean([one for one, _ in rows], axis=0).reshape(8, -1).mean(1) == pytest.approx([1 / 6] * 8, abs=0.04)


def test_spans_begin_with_words() -> None:
    generator = generator_of(0)
    starts = generator.random(50_000) < 0.3
    chosen = sampled_spans(everything(50_000), starts, None, generator)
    begins = np.flatnonzero(np.diff(chosen, prepend=False) & chosen)
    assert len(begins) > 1000
    assert starts[begins].all()


def test_more_than_there_are_cannot_be_predicted() -> None:
    with pytest.raises(InputError, match="5 tokens to predict: there are only 4 that are not special"):
        sampled_spans(everything(4), everything(4), 5, generator_of(0))
    assert sampled_spans(everything(4), everything(4), 4, generator_of(0)).all()


def test_nobody_sees_itself_or_what_comes_later() -> None:
    generator = generator_of(0)
    usual = everything(64)
    usual[[30, 63]] = False
    targets = sampled_spans(usual, everything(64), 20, generator)
    hidden = local_permutation(targets, usual, 32, generator)
    others = usual & ~targets
    assert not hidden[:, others].any()  # what is not predicted is seen by all
    assert hidden[np.ix_(others, ~others)].all()  # and sees nothing else
    assert hidden[targets, targets].all()  # by itself: places of targets
    assert not np.diag(hidden)[~targets].any()
    ordered = np.flatnonzero(~others)
    for one in ordered:
        for other in ordered[ordered > one]:
            assert hidden[one, other] != hidden[other, one]  # one of both is before the other
    count = (~hidden[np.ix_(ordered, ordered)]).sum(1) - ~targets[ordered]  # how many others each sees
    assert sorted(count.tolist()) == list(range(len(ordered)))  # an order of them all
    assert not hidden[np.ix_(ordered[ordered >= 32], ordered[ordered < 32])].any()  # a block after the other


def test_all_orders_are_equally_likely() -> None:
    drawn = []
    for row in range(12_000):
        hidden = local_permutation(everything(3), everything(3), 3, generator_of(0, row))
        drawn.append(tuple((~hidden).sum(1).tolist()))
    assert len(set(drawn)) == 6
    assert all(drawn.count(order) / len(drawn) == pytest.approx(1 / 6, abs=0.01) for order in set(drawn))


def test_what_is_remembered_does_not_see_what_follows() -> None:
    hidden = permutation_of_halves(everything(8), everything(8), 4, 4, generator_of(0))
    assert hidden[:4, 4:].all()
    assert not hidden[4:, :4].any()
    with pytest.raises(InputError, match="permutation=3: must divide the 4 tokens"):
        permutation_of_halves(everything(8), everything(8), 4, 3, generator_of(0))


def test_a_stream_reads_documents_with_what_stands_between(tmp_path: Path) -> None:
    tokens = small(tmp_path)
    parts = [Part("a b c", [1, 3]), Part("d"), Part("e f")]
    corpus = TokenCorpus.of(tokens, [Document((part,)) for part in parts])
    a, b, c, d, e, f = tokens.convert_tokens_to_ids(list("abcdef"))
    whole = [a, b, c, 7, 8, d, 7, 8, e, f, 7, 8]
    stream = Stream(corpus, (7, 8))
    assert len(stream) == len(whole)
    for begin in range(len(whole)):
        for end in range(begin, len(whole) + 1):
            assert stream.between(begin, end).ids.tolist() == whole[begin:end]
    # what stands between documents is of the sentence before it: no segment begins with it
    assert stream.sentence_ends.tolist() == [1, 2, 5, 8, 12]
    assert Stream(corpus).sentence_ends.tolist() == [1, 2, 3, 4, 6]


def test_batches_follow_their_texts() -> None:
    assert side_by_side(7, 2).tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(InputError, match="batch_size=8: the corpus gives 7 rows"):
        side_by_side(7, 8)


@pytest.mark.parametrize("room", [20, 21])
def test_the_longer_segment_is_cut(room: int) -> None:
    for first in range(1, 40):
        for second in range(1, 40):
            one, other = first, second
            while one + other > room:  # as the original code does it
                one, other = (one - 1, other) if one > other else (one, other - 1)
            assert cut_sizes(first, second, room) == (one, other)


def numbered(sentences: int, longest: int) -> TokenCorpus:
    """One document, whose tokens are their places."""
    ends = np.cumsum(generator_of(0).integers(1, longest, sentences))
    count = int(ends[-1])
    starts, documents = everything(count), np.array([sentences])
    return TokenCorpus(np.arange(count), starts, ends, documents, np.zeros(sentences, dtype=np.int64), ("",), count)


def test_segments_follow_half_the_time() -> None:
    stream = Stream(numbered(2000, 20))
    followed = []
    for row in range(4000):
        begin = row * 4
        one, other = (segment.ids for segment in two_segments(stream, begin, 60, generator_of(0, row)))
        assert len(one) + len(other) == 60
        assert one.tolist() == list(range(begin, begin + len(one)))
        assert other.tolist() == list(range(other[0], other[0] + len(other)))
        assert other[0] in stream.sentence_ends or other[0] == 0  # it begins with a sentence
        followed.append(begin < other[0] < begin + 60)
    assert np.mean(followed) == pytest.approx(0.5, abs=0.03)


def test_a_text_without_sentences_has_its_second_segment_from_anywhere(tmp_path: Path) -> None:
    stream = Stream(TokenCorpus.of(small(tmp_path), ["a b c d e f g h i j k l m n o p"]))
    one, other = two_segments(stream, 2, 10, generator_of(0))
    assert len(one.ids) == 5
    assert other.ids.tolist() == stream.between(0, 5).ids.tolist()


def test_rows_are_whole(tmp_path: Path) -> None:
    tokens = small(tmp_path)
    corpus = TokenCorpus.of(tokens, ["a b c d e f g h i j k l m n o p " * 20] * 4)
    objective = PermutedTokens(tokens, length=64, reuse=32, permutation=32, predict=10)
    rows = objective.rows(corpus, generator_of(0))
    assert [place.begin - rows[0].begin for place in rows[:3]] == [0, 32, 64]
    examples = [objective.example(row, generator_of(0, number)) for number, row in enumerate(rows)]
    for example, row in zip(examples, rows, strict=True):
        ids, kinds, mapping = example["input_ids"], example["token_type_ids"], example["target_mapping"]
        assert ids[:32].tolist() == row.stream.between(row.begin, row.begin + 32).ids.tolist()
        assert ids[[-2, -1]].tolist() == [tokens.sep_token_id, tokens.cls_token_id]
        assert kinds[-1] == 2
        assert ids[kinds == 0][-1] == ids[kinds == 1][-1] == tokens.sep_token_id
        places = mapping.argmax(1)
        assert mapping.sum(1).tolist() == [1] * 10
        assert sum(places < 32) == 5
        assert example["labels"].tolist() == ids[places].tolist()  # what is hidden, and nothing else
        assert example["perm_mask"][places, places].all()
    assert objective.counts(objective.batch(examples[:3])) == {"loss": 30}


def test_lengths_that_do_not_fit_are_said(tmp_path: Path) -> None:
    tokens = small(tmp_path)
    with pytest.raises(InputError, match="reuse=200: must be a multiple of permutation=256"):
        PermutedTokens(tokens, reuse=200)
    with pytest.raises(InputError, match="length - reuse=244: must be a multiple of permutation=256"):
        PermutedTokens(tokens, length=500)
    with pytest.raises(InputError, match="predict=600: half of them must be among the first reuse=256"):
        PermutedTokens(tokens, predict=600)
    short = TokenCorpus.of(tokens, ["a b c"])
    with pytest.raises(InputError, match="length=512: the corpus has 3 tokens"):
        PermutedTokens(tokens).rows(short, generator_of(0))
    tokens.cls_token = None
    with pytest.raises(InputError, match="has no cls_token"):
        PermutedTokens(tokens)
