"""What holds of every architecture: a file for each subject, put together in `ArchitectureChecks`."""

from tfx_testing.architectures.alignments import AlignmentChecks
from tfx_testing.architectures.assistants import AssistedChecks
from tfx_testing.architectures.base import CaseChecks
from tfx_testing.architectures.batches import BatchChecks
from tfx_testing.architectures.caches import CacheChecks
from tfx_testing.architectures.calls import CallChecks
from tfx_testing.architectures.checkpoints import CheckpointChecks
from tfx_testing.architectures.compiling import CompilingChecks
from tfx_testing.architectures.configs import ConfigChecks
from tfx_testing.architectures.declared import DeclarationChecks
from tfx_testing.architectures.dtypes import DtypeChecks
from tfx_testing.architectures.fields import FieldChecks
from tfx_testing.architectures.frozen import FrozenChecks
from tfx_testing.architectures.generation import GenerationChecks
from tfx_testing.architectures.inputs import InputChecks
from tfx_testing.architectures.layouts import LayoutChecks
from tfx_testing.architectures.lengths import LengthChecks
from tfx_testing.architectures.losses import LossChecks
from tfx_testing.architectures.masks import MaskFillingChecks
from tfx_testing.architectures.modules import ModuleChecks
from tfx_testing.architectures.outputs import OutputChecks
from tfx_testing.architectures.packed_rows import PackedRowChecks
from tfx_testing.architectures.patterns import PatternChecks
from tfx_testing.architectures.pieces import PieceChecks
from tfx_testing.architectures.pruning import PruningChecks
from tfx_testing.architectures.reports import ReportChecks
from tfx_testing.architectures.resizing import ResizingChecks, VariantResizingChecks
from tfx_testing.architectures.searches import SearchChecks
from tfx_testing.architectures.sentences import SentenceChecks
from tfx_testing.architectures.settings import SettingChecks
from tfx_testing.architectures.shortlists import ShortlistChecks
from tfx_testing.architectures.splitting import SplittingChecks
from tfx_testing.architectures.states import StateChecks
from tfx_testing.architectures.switches import SwitchChecks
from tfx_testing.architectures.text import TextChecks

__all__ = ["ArchitectureChecks"]


class ArchitectureChecks(
    BatchChecks,
    CallChecks,
    CheckpointChecks,
    ConfigChecks,
    DeclarationChecks,
    DtypeChecks,
    FieldChecks,
    FrozenChecks,
    LayoutChecks,
    ModuleChecks,
    PruningChecks,
    ResizingChecks,
    SettingChecks,
    SplittingChecks,
    StateChecks,
    VariantResizingChecks,
    InputChecks,
    LossChecks,
    OutputChecks,
    ReportChecks,
    SwitchChecks,
    PieceChecks,
    LengthChecks,
    PackedRowChecks,
    PatternChecks,
    CompilingChecks,
    CacheChecks,
    GenerationChecks,
    SearchChecks,
    AssistedChecks,
    ShortlistChecks,
    TextChecks,
    MaskFillingChecks,
    SentenceChecks,
    AlignmentChecks,
    CaseChecks,
):
    """Every check of an architecture: a test class names its case.

    >>> class TestLlama(ArchitectureChecks):
    ...     case = ArchitectureCase("llama", tiny={"vocab_size": 53, "hidden_size": 24})
    """
