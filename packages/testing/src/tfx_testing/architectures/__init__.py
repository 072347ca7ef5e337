"""What holds of every architecture: a file for each subject, put together in `ArchitectureChecks`."""

from tfx_testing.architectures.base import CaseChecks
from tfx_testing.architectures.batches import BatchChecks

__all__ = ["ArchitectureChecks"]


class ArchitectureChecks(BatchChecks, CaseChecks):
    """Every check of an architecture: a test class names its case.

    >>> class TestLlama(ArchitectureChecks):
    ...     case = ArchitectureCase("llama", tiny={"vocab_size": 53, "hidden_size": 24})
    """
