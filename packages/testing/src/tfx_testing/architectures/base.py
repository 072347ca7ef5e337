"""What the checks of an architecture stand on: its case, and the values that they run with."""

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

from tfx_core.errors import TfxError
from tfx_core.model import ModelConfig, load_architecture
from tfx_testing.cases import ArchitectureCase
from tfx_testing.checks import Checks
from tfx_testing.labelled import learns


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
        if not isinstance(cls.case, ArchitectureCase):
            raise TypeError(
                f"{cls.__name__}.case must be an ArchitectureCase, such as ArchitectureCase('my-arch', tiny)"
            )
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
    return [head for head in cls.heads() if learns(cls.case, head)]


def config_of(cls: type[CaseChecks]) -> ModelConfig:
    """The tiny config."""
    config: ModelConfig = load_architecture(cls.case.model_type).config.of(**cls.case.tiny)
    return config


def tied_heads(cls: Any) -> Sequence[str]:
    """The heads of a class of checks with a parameter that may share its tensor with another."""
    return _tied_heads(cls)


@cache
def _tied_heads(cls: Any) -> Sequence[str]:
    architecture, config = load_architecture(cls.case.model_type), config_of(cls)
    return [head for head in cls.heads() if architecture.plan(head).ties_of(config)]


def resized_heads(cls: type[CaseChecks]) -> Sequence[str]:
    """The backbone, and the heads with a layer for each token; to the number of tokens others are as none is."""
    tied = tied_heads(cls)
    return [head for head in cls.heads() if head == "backbone" or head in tied]
