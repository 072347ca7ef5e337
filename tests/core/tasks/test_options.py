"""Options are declared once: the declaration checks calls and describes itself to the command line."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from tfx_core.errors import InputError
from tfx_core.fields import Between
from tfx_core.tasks import Help, Separated, TaskOptions
from tfx_core.tasks.options import describe_options, read_options


@dataclass(frozen=True, kw_only=True)
class Options(TaskOptions):
    count: Annotated[int, Between(1, 9), Help("how many")] = 3
    share: Annotated[float | None, Between(0, 1)] = None
    kind: Literal["a", "b"] = "a"
    words: tuple[str, ...] | None = None
    labels: Annotated[tuple[str, ...], Separated(",")] = ("x",)
    flag: bool = False


def read(**values: object) -> Options:
    return read_options(Options(), values, "a task")


def test_values_are_taken_as_the_declaration_has_them() -> None:
    options = read(count=9, share=1, kind="b", words=["x", "y"], flag=True, batch_tokens=7)
    assert options == Options(count=9, share=1.0, kind="b", words=("x", "y"), flag=True, batch_tokens=7)
    assert isinstance(options.share, float)
    assert read(words="one").words == ("one",)
    assert read(share=None, words=None) == Options()


def test_a_text_is_taken_apart_where_the_declaration_says_by_what() -> None:
    assert read(labels=" a b,c,, ").labels == ("a b", "c")
    assert read(labels=["a, b", "c"]).labels == ("a, b", "c")
    assert read(labels="").labels == ()
    assert read(words="a,b").words == ("a,b",)


def test_what_is_not_given_stays_as_it_was() -> None:
    base = Options(count=5)
    assert read_options(base, {"flag": True}, "a task") == Options(count=5, flag=True)
    assert base.flag is False


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"count": 0}, "count=0: must be an integer from 1 to 9"),
        ({"count": 10}, "count=10"),
        ({"count": True}, "count=True"),
        ({"count": 3.0}, "count=3.0"),
        ({"count": None}, "count=None"),
        ({"share": float("nan")}, "share=nan: must be a number from 0 to 1, or None"),
        ({"share": "1"}, "share='1'"),
        ({"kind": "c"}, "kind='c': must be one of 'a', 'b'"),
        ({"words": ["x", 3]}, "words=('x', 3): must be a list, each a string, or None"),
        ({"flag": 1}, "flag=1: must be True or False"),
        ({"flag": None}, "flag=None"),
        ({"batch_tokens": 0}, "batch_tokens=0: must be an integer at least 1, or None"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_do(values: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=r"^a task: ") as caught:
        read(**values)
    assert said in str(caught.value)


def test_an_unknown_option_is_a_type_error_that_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"^a task takes no 'cuont': did you mean 'count'\?$"):
        read(cuont=1)
    with pytest.raises(TypeError, match=r"^a task takes no 'x': it takes batch_size, batch_tokens, count, flag, kind"):
        read(x=1)


def test_own_options_come_before_inherited_ones() -> None:
    described = describe_options(Options)
    assert [each.name for each in described] == [
        "count",
        "share",
        "kind",
        "words",
        "labels",
        "flag",
        "batch_tokens",
        "batch_size",
    ]
    count, share, kind, words, labels, flag, batch_tokens, _ = described
    assert (count.scalar, count.default, count.help, count.bounds) == (int, 3, "how many", Between(1, 9))
    assert (share.scalar, share.optional, share.bounds) == (float, True, Between(0, 1))
    assert (kind.scalar, kind.choices) == (str, ("a", "b"))
    assert (words.scalar, words.many, words.optional) == (str, True, True)
    assert (labels.many, labels.separated, words.separated) == (True, Separated(","), None)
    assert (flag.scalar, flag.optional) == (bool, False)
    assert batch_tokens.help


@pytest.mark.parametrize("annotation", [dict[str, int], int | str, tuple[int, int], Literal[1, 2], list[str]])
def test_a_declaration_that_cannot_be_an_option_is_refused(annotation: Any) -> None:
    broken = dataclass(frozen=True)(type("Broken", (TaskOptions,), {"__annotations__": {"x": annotation}, "x": None}))
    with pytest.raises(TypeError, match=r"Broken\.x: an option is a bool, int, float, str or Literal of strings"):
        describe_options(broken)


def test_an_option_needs_a_plain_default() -> None:
    namespace = {"__annotations__": {"x": int}, "x": field(default_factory=int)}
    broken = dataclass(frozen=True)(type("Broken", (TaskOptions,), namespace))
    with pytest.raises(TypeError, match=r"Broken\.x: an option needs a default"):
        describe_options(broken)
