"""Whether a passage has an answer: words, case, accents, scripts without blanks, regular expressions."""

import pytest

from tfx_core.errors import InputError
from tfx_retrieval.training import has_answer, words


def test_words_are_runs_of_letters_and_digits_and_single_signs() -> None:
    assert words("Bob's U.S. flat, 3.5\u200bkm\n") == [
        "bob",
        "'",
        "s",
        "u",
        ".",
        "s",
        ".",
        "flat",
        ",",
        "3",
        ".",
        "5",
        "km",
    ]
    assert words("a_b x+1 “q”") == ["a", "_", "b", "x", "+", "1", "“", "q", "”"]
    assert words("") == words(" \t\u3000\0") == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Eiffel tower", "The EIFFEL  Tower, in Paris"),
        ("caf\u00e9", "a cafe\u0301 there"),
        ("U.S.", "in the U.S. army"),
        ("3.5 km", "about 3.5 km away"),
        ("東京", "東京都庁"),
        ("が", "これがそれ"),
        ("서울", "서울 시청"),
        ("สวัสดี", "สวัสดีครับ"),
    ],
)
def test_an_answer_stands_in_a_text(answer: str, text: str) -> None:
    assert has_answer([answer], text)
    assert has_answer(["nowhere", answer], text)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("art", "the start"),
        ("cafe", "a café"),
        ("tower Eiffel", "Eiffel tower"),
        ("か", "これがそれ"),
        ("", "anything"),
        (" \n", "anything"),
        ("longer than it", "longer"),
        ("x", ""),
    ],
)
def test_an_answer_does_not_stand_in_a_text(answer: str, text: str) -> None:
    assert not has_answer([answer], text)
    assert not has_answer([], text)


def test_answers_may_be_regular_expressions() -> None:
    assert has_answer([r"19[0-9]{2}\b", "x"], "In 1969.", match="regex")
    assert has_answer(["^CAF\u00c9$"], "one\ncafe\u0301", match="regex")
    assert not has_answer(["", r"^\d+$"], "one 2", match="regex")
    with pytest.raises(InputError, match="no regular expression"):
        has_answer(["("], "text", match="regex")


def test_one_text_is_no_list_of_answers() -> None:
    with pytest.raises(InputError, match="answers='Paris': must be a list"):
        has_answer("Paris", "Paris")
    with pytest.raises(InputError, match="must be 'words' or 'regex'"):
        has_answer(["Paris"], "Paris", match="string")  # type: ignore[arg-type]
