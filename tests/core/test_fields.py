"""Fields: what annotations allow, what values become, and how both are put into words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest

from tfx_core.errors import CheckpointError, ConfigError, InputError, TextError
from tfx_core.fields import (
    Above,
    Between,
    Checked,
    Count,
    Epsilon,
    Help,
    InWords,
    NotEmpty,
    Positive,
    Rate,
    Size,
    checked,
    described,
    form,
)


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, 1.0),
        (np.int64(3), Size, 3),
        (np.float32(0.5), Rate, 0.5),
        ([1, 2], Sequence[int], (1, 2)),
        ((1, [2.0]), tuple[int, Sequence[float]], (1, (2.0,))),
        ([], tuple[int, ...], ()),
        ({"3": [1]}, dict[int, tuple[int, ...]], {3: (1,)}),
        ({(1, 2): 3}, Mapping[Sequence[int], float], {(1, 2): 3.0}),
        (None, Annotated[Size | None, Help("x")], None),
        ("never", bool | Literal["never"], "never"),
        ([[1], [[2]]], Sequence[Sequence[Count | Sequence[Count]]], ((1,), ((2,),))),
        ({"a": object}, Any, {"a": object}),
    ],
)
def test_a_value_becomes_what_the_annotation_says(value: object, hint: Any, expected: object) -> None:
    found = checked(value, hint, "x")
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "hint", "allowed"),
    [
        (0, Annotated[float, Above(0)], "a number above 0"),
        (0, Annotated[float, Above(0, 1)], "a number above 0 and at most 1"),
        (1.1, Annotated[float, Above(0, 1)], "a number above 0 and at most 1"),
        (float("nan"), float, "a number"),
        (True, int, "an integer"),
        (10, Annotated[int | None, Between(1, 9), Help("x")], "an integer from 1 to 9, or None"),
        ([1, 0], Annotated[tuple[int, ...], Between(1)], "a list, each an integer at least 1"),
        ([1, 0], Annotated[tuple[int, ...], Above(0)], "a list, each an integer above 0"),
        ([1], tuple[int, float], "a list of an integer, a number"),
        ("ab", Sequence[str], "a list, each a string"),
        ("", Annotated[str, NotEmpty()], "a string that is not empty"),
        ([], Annotated[Sequence[int], NotEmpty(), InWords("some numbers")], "some numbers"),
        ("x", Annotated[bool | None, InWords("a sign")], "a sign, or None"),
        ("x", Count | Sequence[Count], "an integer at least 0 or a list, each an integer at least 0"),
        (1, bool | Literal["never"] | None, "one of True, False, 'never', or None"),
        (1, bool, "True or False"),
        ({1: "x"}, dict[int, int], "an object of an integer to an integer"),
        ({"01": 1}, dict[int, int], "an object of an integer to an integer"),
        (float("inf"), Positive, "a number at least 0 and finite as a float32"),
        (3.5e38, Positive, "a number at least 0 and finite as a float32"),
        (1e30, Epsilon, "a number from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_named_with_what_would(value: object, hint: Any, allowed: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(value, hint, "x", InputError)
    assert str(caught.value) == f"x={value!r}: must be {allowed}"


def test_what_does_not_fit_is_shown_in_one_line_however_large() -> None:
    for value, hint in (
        (10**400, float),
        ("9" * 10**6, int),
        ({"9" * 5000: 1}, dict[int, int]),
        ([10**400], tuple[str]),
    ):
        with pytest.raises(ConfigError) as caught:
            checked(value, hint, "x")
        assert len(str(caught.value)) < 300
    assert checked({"-1": 2}, dict[int, int], "x") == {-1: 2}


def test_the_caller_says_which_error_it_is_and_where() -> None:
    with pytest.raises(TextError, match=r"^a/b\.json: x=1: must be true or false, or null$"):
        checked(1, bool | None, "x", TextError, where="a/b.json")

    @dataclass(frozen=True, kw_only=True)
    class Part(Checked):
        error: ClassVar[type[CheckpointError]] = CheckpointError
        size: Size = 1

    assert Part(size=np.int32(2)) == Part(size=2)
    with pytest.raises(CheckpointError, match=r"^size=0: must be an integer at least 1$"):
        Part(size=0)


def test_an_annotation_taken_apart() -> None:
    found = form(Annotated[Size | None, Help("x"), Above(3)])
    assert (found.kinds, found.optional) == ((int,), True)
    assert (found.notes, found.bounds) == ((Help("x"), Above(3), Between(1)), (Above(3), Between(1)))
    assert described(found.kinds[0] | None) == "an integer, or null"


def test_of_several_entries_the_one_that_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigError, match=r"ids=.*: must be .*each an integer at least 0; -1 is not$"):
        checked([1, -1], int | tuple[Count, ...], "ids")
    with pytest.raises(ConfigError, match=r"table=.*'c': 'x'.*; 'x' is not$"):
        checked({"a": 1, "c": "x"}, dict[str, int], "table")
