"""A test class that cannot be checked is refused when it is written, with the cure."""

from typing import Any
from unittest import TestCase

import pytest

from tests.testing.faults.parities import TINY, OfToys
from tfx_testing import (
    ArchitectureCase,
    ArchitectureChecks,
    AttentionChecks,
    Checks,
    TaskChecks,
    TokenizerChecks,
    Variant,
)
from tfx_testing.toys import toys


def declare(*bases: type, **said: Any) -> Any:
    with toys():
        return type("TestIt", bases, said)


def test_a_reference_that_is_not_installed_is_told_with_the_command() -> None:
    case = ArchitectureCase("toy", dict(TINY), reference_module="no_such_library")
    with pytest.raises(LookupError, match=r"'toy' is compared .*: python -m pip install no-such-library"):
        declare(OfToys, case=case)


def test_a_case_without_a_head_to_compare_is_told() -> None:
    case = ArchitectureCase("toy", dict(TINY), (Variant("tiny", heads=("nothing",)),), reference=lambda case: None)
    with pytest.raises(LookupError, match="none of the heads of 'toy' has a class to be compared with"):
        declare(OfToys, case=case)


def test_a_tokenizer_without_files_is_told() -> None:
    with pytest.raises(LookupError, match=r"no files of one: give small ones with ArchitectureCase\(…, released=…\)"):
        declare(TokenizerChecks, case=ArchitectureCase("toy", dict(TINY)))


def test_a_task_of_heads_that_no_toy_has_is_told() -> None:
    with pytest.raises(LookupError, match=r"which are conditional-generation: define saved\(cls, folder, head\)"):
        declare(TaskChecks, task="translation")


CHECK = "test_every_parameter_gets_a_gradient"
HEADS = ["backbone", "masked-lm"]


def test_a_change_in_a_base_or_beside_it_needs_a_reason_as_well() -> None:
    beside = type("Beside", (), {CHECK: None})
    between = type("Between", (ArchitectureChecks,), {CHECK: lambda self, head: None, "__module__": __name__})
    case = ArchitectureCase("toy", dict(TINY))
    with pytest.raises(TypeError, match=f"Beside leaves out the check {CHECK} without a reason: say it in exceptions"):
        declare(beside, ArchitectureChecks, case=case)
    with pytest.raises(TypeError, match=f"Between defines anew the check {CHECK} without a reason"):
        declare(between, case=case)
    assert getattr(declare(beside, ArchitectureChecks, case=case, exceptions={CHECK: "no parameters"}), CHECK) is None
    assert getattr(declare(between, case=case, exceptions={CHECK: "its own way"}), CHECK) is not None


def test_a_class_that_inherits_from_one_with_a_case_has_values_and_exceptions_of_its_own() -> None:
    case = ArchitectureCase("toy", dict(TINY))
    alone = {"heads": classmethod(lambda cls: ("backbone",)), "exceptions": {CHECK: "for this one"}}
    first = declare(ArchitectureChecks, case=case, **alone)
    second = declare(first, case=case, heads=classmethod(lambda cls: HEADS), exceptions={})
    saved = "test_saved_and_loaded_it_is_the_same"
    assert (heads_of(first, saved), getattr(first, CHECK)) == (["backbone"], None)
    assert heads_of(second, saved) == heads_of(second, CHECK) == HEADS


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, r"TestIt does not say what it checks: see help\(tfx_testing.ArchitectureChecks\)"),
        ({"case": {"model_type": "toy"}}, "TestIt.case must be an ArchitectureCase"),
        ({"exceptions": [CHECK]}, "TestIt.exceptions must say why"),
        ({"exceptions": {CHECK: None}}, f"TestIt.exceptions gives no reason for '{CHECK}'"),
        ({"exceptions": {CHECK: " "}}, f"TestIt.exceptions gives no reason for '{CHECK}'"),
        ({"exceptions": {"test_that_is_none": "why"}}, "names 'test_that_is_none', and there is no such check"),
    ],
)
def test_a_slip_in_a_class_is_told_where_it_is_written(said: dict[str, Any], told: str) -> None:
    case = {"case": ArchitectureCase("toy", dict(TINY))} if said else {}
    with pytest.raises(TypeError, match=told):
        declare(ArchitectureChecks, **{**case, **said})


def test_a_class_of_unittest_is_refused() -> None:
    with pytest.raises(TypeError, match=r"TestIt is a unittest\.TestCase"):
        declare(AttentionChecks, TestCase, attention="eager")


def test_a_tiny_config_is_a_dict() -> None:
    with pytest.raises(TypeError, match=r"tiny of the case of 'toy' must be a dict with keys of a config\.json"):
        ArchitectureCase("toy", ["vocab_size"])  # type: ignore[arg-type]


def heads_of(cls: type[Checks], check: str) -> list[str]:
    """The heads that a check runs with."""
    (mark,) = getattr(cls, check).pytestmark
    return list(mark.args[1])
