"""A test class that cannot be checked is refused when it is written, with the cure."""

from typing import Any

import pytest

from tests.testing.faults.parities import TINY, OfToys
from tfx_testing import ArchitectureCase, TaskChecks, TokenizerChecks, Variant
from tfx_testing.toys import toys


def declare(base: type, **said: Any) -> None:
    with toys():
        type("TestIt", (base,), said)


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
