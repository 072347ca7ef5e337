"""What holds of every architecture: a file for each subject, put together in `ArchitectureChecks`."""

from tfx_testing.architectures.base import CaseChecks
from tfx_testing.architectures.batches import BatchChecks
from tfx_testing.architectures.calls import CallChecks
from tfx_testing.architectures.checkpoints import CheckpointChecks
from tfx_testing.architectures.configs import ConfigChecks
from tfx_testing.architectures.declared import DeclarationChecks
from tfx_testing.architectures.dtypes import DtypeChecks
from tfx_testing.architectures.frozen import FrozenChecks
from tfx_testing.architectures.layouts import LayoutChecks
from tfx_testing.architectures.modules import ModuleChecks
from tfx_testing.architectures.pruning import PruningChecks
from tfx_testing.architectures.resizing import ResizingChecks, VariantResizingChecks
from tfx_testing.architectures.settings import SettingChecks
from tfx_testing.architectures.splitting import SplittingChecks
from tfx_testing.architectures.states import StateChecks

__all__ = ["ArchitectureChecks"]


class ArchitectureChecks(
    BatchChecks,
    CallChecks,
    CheckpointChecks,
    ConfigChecks,
    DeclarationChecks,
    DtypeChecks,
    FrozenChecks,
    LayoutChecks,
    ModuleChecks,
    PruningChecks,
    ResizingChecks,
    SettingChecks,
    SplittingChecks,
    StateChecks,
    VariantResizingChecks,
    CaseChecks,
):
    """Every check of an architecture: a test class names its case.

    >>> class TestLlama(ArchitectureChecks):
    ...     case = ArchitectureCase("llama", tiny={"vocab_size": 53, "hidden_size": 24})
    """
