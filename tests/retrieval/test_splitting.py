"""Passages are verbatim, bounded, complete and cut where a reader would cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_retrieval.splitting import count_words, split_passages

TEXTS = st.text(alphabet=st.sampled_from("ab.!? \n\t:=-#漢。ก"), max_size=400)


@given(text=TEXTS, words=st.integers(1, 12))
def test_every_word_is_in_exactly_one_passage_in_order(text: str, words: int) -> None:
    passages = split_passages(text, words)
    assert "".join("".join(passage.split()) for passage in passages) == "".join(text.split())
    assert all(0 < count_words(passage) <= words for passage in passages)
    assert all(passage in text for passage in passages)


@given(text=TEXTS, words=st.integers(1, 12))
def test_white_space_around_the_text_changes_nothing(text: str, words: int) -> None:
    assert split_passages(f"\n\n{text}\n \n", words) == split_passages(text, words)


def test_paragraphs_are_packed_and_never_torn_when_they_fit() -> None:
    text = "one two three\n\nfour five\n\nsix seven eight"
    assert split_passages(text, 5) == ["one two three\n\nfour five", "six seven eight"]


def test_a_long_paragraph_is_cut_at_sentences_then_lines_then_words() -> None:
    assert split_passages("One two. Three four five! Six?", 3) == ["One two.", "Three four five!", "Six?"]
    assert split_passages("a b c\nd e f\ng", 4) == ["a b c", "d e f\ng"]
    assert split_passages("a b c d e", 2) == ["a b", "c d", "e"]


def test_a_sentence_end_may_stand_before_a_closing_quote() -> None:
    assert split_passages('He said "no." She left (early.) Then rain', 3) == [
        'He said "no."',
        "She left (early.)",
        "Then rain",
    ]


def test_a_heading_or_lead_in_goes_with_what_follows() -> None:
    text = "one two three\n\nTitle\n=====\n\nfour five six"
    assert split_passages(text, 6) == ["one two three", "Title\n=====\n\nfour five six"]
    text = "one two three\n\nFor example:\n\n   code here"
    assert split_passages(text, 5) == ["one two three", "For example:\n\n   code here"]


def test_a_heading_that_does_not_fit_with_what_follows_stays_where_it_is() -> None:
    text = "one two\n\nTitle\n=====\n\nfour five six"
    assert split_passages(text, 4) == ["one two\n\nTitle\n=====", "four five six"]


def test_scripts_without_spaces_are_bounded_too() -> None:
    passages = split_passages("東京は日本の首都です。" * 20, 30)
    assert len(passages) == 10
    assert all(passage.endswith("。") and count_words(passage) == 22 for passage in passages)


def test_indentation_of_the_first_line_is_kept() -> None:
    assert split_passages("\n\n   x = 1\n   y = 2\n\n", 50) == ["   x = 1\n   y = 2"]


@pytest.mark.parametrize("text", ["", " \n\t\n", "\u2003"])
@pytest.mark.parametrize("words", [0, 3])
def test_a_text_without_words_has_no_passages(text: str, words: int) -> None:
    assert split_passages(text, words) == []


def test_zero_words_keeps_the_text_whole() -> None:
    assert split_passages("a b\n\nc d. e\n", 0) == ["a b\n\nc d. e"]


def test_a_line_of_white_space_as_long_as_a_book_takes_no_time() -> None:
    passages = split_passages("a" + " " * 2_000_000 + "\n" + " " * 2_000_000 + "b", 1)
    assert [passage.strip() for passage in passages] == ["a", "b"]
