"""What the checks of an architecture stand on: its case, and the values that they run with."""

from collections.abc import Sequence
from typing import ClassVar

from tfx_core.errors import TfxError
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import Checks
from tfx_testing.labelled import has_loss


class CaseChecks(Checks):
    """Checks of one architecture, which a test class names with a case."""

    case: ClassVar[ArchitectureCase]

    @classmethod
    def heads(cls) -> Sequence[str]:
        """The heads that are checked, the backbone alone among them."""
        return ("backbone", *cls.case.spec.heads)

    @classmethod
    def is_declared(cls) -> bool:
        """With a case; raises `tfx_core.errors.UnknownNameError` where no plugin provides its architecture."""
        if not hasattr(cls, "case"):
            return False
        try:
            cls.case.spec  # noqa: B018, which is looked up
        except TfxError as error:
            error.add_note(f"{cls.__name__} checks it: install the distribution that provides it, `pip install -e .`")
            raise
        return True


def heads(cls: type[CaseChecks]) -> Sequence[str]:
    """Every head, and the backbone alone."""
    return cls.heads()


def learning_heads(cls: type[CaseChecks]) -> Sequence[str]:
    """The heads that learn from labels."""
    return [head for head in cls.heads() if has_loss(head)]
