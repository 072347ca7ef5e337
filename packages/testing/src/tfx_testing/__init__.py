"""Checks of what plugins of tfx provide, for those who publish one; `Checks` says how a test file uses them."""

from pkgutil import iter_modules
from typing import TYPE_CHECKING

import pytest

from tfx_core.first_use import on_first_use

__version__ = "0.1.0"

# so that a check that fails shows the values that it compared
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

if TYPE_CHECKING:
    from tfx_testing.architectures import ArchitectureChecks
    from tfx_testing.attentions import AttentionChecks
    from tfx_testing.cases import ArchitectureCase, Variant
    from tfx_testing.checks import Checks, each
    from tfx_testing.heads import HeadChecks
    from tfx_testing.indexes import IndexChecks
    from tfx_testing.objectives import ObjectiveCase, ObjectiveChecks
    from tfx_testing.parity import ParityChecks
    from tfx_testing.plugins import PluginChecks
    from tfx_testing.promises import promised
    from tfx_testing.tasks import TaskChecks
    from tfx_testing.text import TokenizerChecks

_HOMES = {
    "ArchitectureCase": "cases",
    "ArchitectureChecks": "architectures",
    "AttentionChecks": "attentions",
    "Checks": "checks",
    "HeadChecks": "heads",
    "IndexChecks": "indexes",
    "ObjectiveCase": "objectives",
    "ObjectiveChecks": "objectives",
    "ParityChecks": "parity",
    "PluginChecks": "plugins",
    "TaskChecks": "tasks",
    "TokenizerChecks": "text",
    "Variant": "cases",
    "each": "checks",
    "promised": "promises",
}

__all__ = [
    "ArchitectureCase",
    "ArchitectureChecks",
    "AttentionChecks",
    "Checks",
    "HeadChecks",
    "IndexChecks",
    "ObjectiveCase",
    "ObjectiveChecks",
    "ParityChecks",
    "PluginChecks",
    "TaskChecks",
    "TokenizerChecks",
    "Variant",
    "__version__",
    "each",
    "promised",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
