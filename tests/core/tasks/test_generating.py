"""The options of tasks that generate are those of generation, and a word or a switch is read as either."""

import dataclasses
from typing import Annotated, Any, Literal, get_args, get_type_hints

import click
import pytest

from tfx_core.cli.run import SwitchOrWord
from tfx_core.errors import InputError
from tfx_core.fields import Above, Help
from tfx_core.generation import GenerationOptions
from tfx_core.tasks import TaskOptions
from tfx_core.tasks.generating import GeneratingOptions
from tfx_core.tasks.options import describe_options, read_options

VALUES: dict[Any, Any] = {bool: True, int: 2, float: 0.5, str: "x"}
CHANGES: dict[str, dict[str, Any]] = {
    "num_beam_groups": {"num_beams": 2, "diversity_penalty": 1.0},
    "diversity_penalty": {"num_beams": 2, "num_beam_groups": 2},
    "num_return_sequences": {"num_beams": 2},
}


@pytest.mark.parametrize("name", [each.name for each in describe_options(GeneratingOptions)])
def test_an_option_of_a_task_is_one_of_generation(name: str) -> None:
    if name in {each.name for each in dataclasses.fields(TaskOptions)}:
        return
    (option,) = (each for each in describe_options(GeneratingOptions) if each.name == name)
    assert (option.default, option.optional) == (None, True)
    assert option.help
    value = VALUES[option.scalar] if not option.choices else option.choices[0]
    options = read_options(GeneratingOptions(), {name: (value,) if option.many else value}, "a task")
    given = options.given()
    assert list(given) == [name]
    GenerationOptions(**{**CHANGES.get(name, {}), **given})


def test_bounds_are_those_of_generation() -> None:
    for option in describe_options(GeneratingOptions):
        if option.bounds is None or option.name in ("batch_tokens", "batch_size"):
            continue
        lowest = option.bounds.low + (0.5 if isinstance(option.bounds, Above) else 0)
        if option.name != "num_beam_groups":  # a group needs others
            GenerationOptions(**{option.name: lowest})
        with pytest.raises(InputError, match=option.name):
            GenerationOptions(**{option.name: lowest - 1})


def test_options_of_a_call_are_checked_as_those_of_generation_are() -> None:
    with pytest.raises(InputError, match=r"^a task: typical_p=0: must be a number above 0 and at most 1, or None$"):
        read_options(GeneratingOptions(), {"typical_p": 0}, "a task")
    with pytest.raises(TypeError, match="a task takes no 'resolved'"):
        read_options(GeneratingOptions(), {"resolved": GenerationOptions()}, "a task")


def test_what_a_pipeline_was_made_with_stays_beside_what_a_call_gives() -> None:
    made = read_options(GeneratingOptions(), {"pad_token_id": 3, "top_k": 2}, "a task")
    called = read_options(made, {"num_beams": 2, "suppress_tokens": [1]}, "a task")
    assert called.given() == {"pad_token_id": 3, "top_k": 2, "num_beams": 2, "suppress_tokens": [1]}
    assert read_options(called, {"pad_token_id": 4}, "a task").given()["pad_token_id"] == 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stops(TaskOptions):
    stop: Annotated[bool | Literal["never", "late"] | None, Help("when")] = None


def test_a_switch_with_words() -> None:
    for value in (True, False, "never", "late", None):
        assert read_options(Stops(), {"stop": value}, "a task").stop == value
    for value in ("true", 1, "soon"):
        with pytest.raises(InputError, match=r"stop=.*: must be one of True, False, 'never', 'late', or None"):
            read_options(Stops(), {"stop": value}, "a task")
    kind = SwitchOrWord(("never",))
    assert [kind.convert(word, None, None) for word in ("true", "false", "never")] == [True, False, "never"]
    with pytest.raises(click.BadParameter):
        kind.convert("soon", None, None)


def test_a_switch_with_numbers_is_no_option() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Odd(TaskOptions):
        odd: bool | int = False

    assert set(get_args(get_type_hints(Odd)["odd"])) == {bool, int}
    with pytest.raises(TypeError, match=r"Odd\.odd: an option is"):
        describe_options(Odd)
