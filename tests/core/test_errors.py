"""What a message may hold, whoever wrote what it tells of."""

import pickle

import pytest

from tfx_core.errors import CheckpointError, TfxError, cleaned, described, in_one_line, shown, traced


class Hostile:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __repr__


class HostileText(str):
    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __getitem__ = __len__ = __repr__  # type: ignore[assignment]


def laughs() -> object:
    value: object = "ha"
    for _ in range(60):
        value = (value, value, value, value, value)
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[2J\nError: forged", r"'a\x1b[2J\nError: forged'"),
        ("x" * 10**6, "'" + "x" * 79 + "…"),
        (None, "None"),
        (2.5, "2.5"),
        (True, "True"),
        (7, "7"),
        ([1, "two", (3,), {}, 5], "[1, 'two', (3,), {}, …]"),
        ({"a": 1}, "{'a': 1}"),
        (b"\0", r"b'\x00'"),
        (Hostile(), "an object of type Hostile"),
        ([Hostile()], "[an object of type Hostile]"),
        ("\ud800", r"'\ud800'"),
    ],
)
def test_any_value_is_one_short_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_values_that_pytest_cannot_name() -> None:
    assert shown(10**5000) == "a number of 16610 bits"
    assert shown(HostileText("abc")) == "'abc'"


def test_nested_values_are_cut_before_they_are_spelled_out() -> None:
    assert len(shown(laughs())) <= 81


def test_messages_hold_no_control_characters_but_line_ends() -> None:
    message = str(CheckpointError("x: \x1b[2J\x07\u202e\n  second"))
    assert message == "x: \\x1b[2J\\x07\\u202e\n  second"


def test_messages_end_somewhere() -> None:
    assert len(str(TfxError("x" * 10**6))) < 21_000
    assert cleaned("é ü") == "é ü"


def test_errors_pickle_as_they_are() -> None:
    error = CheckpointError("a\x07")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "a\\x07"


class MuteError(Exception):
    def __str__(self) -> str:
        raise SystemExit


def test_an_error_of_somebody_elses_code_is_described_in_one_line() -> None:
    assert described(ValueError("a\n  b\x1b[2J")) == r"ValueError: a b\x1b[2J"
    assert described(ValueError()) == "ValueError"
    assert described(MuteError()) == "MuteError: its message cannot be read"
    assert len(described(ValueError("x" * 10**6))) < 1_100


def test_what_is_shown_of_a_traceback_drives_no_terminal() -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # whose message is the matter
        raise ValueError("\x1b[2J")
    assert "in test_what_is_shown_of_a_traceback" in traced(caught.value)
    assert traced(caught.value).endswith("ValueError: \\x1b[2J\n")
    assert "MuteError" in traced(MuteError())


def test_text_in_one_line() -> None:
    assert in_one_line(" a\r\n\tb\u2028c \x07") == r"a b c \x07"
