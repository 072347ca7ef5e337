"""Checks of what plugins of tfx provide, for those who publish one; `Checks` says how a test file uses them."""

from pkgutil import iter_modules

import pytest

__version__ = "0.1.0"

# so that a check that fails shows the values that it compared
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from tfx_testing.architectures import ArchitectureChecks  # noqa: E402
from tfx_testing.attentions import AttentionChecks  # noqa: E402
from tfx_testing.cases import ArchitectureCase, Variant  # noqa: E402
from tfx_testing.checks import Checks, each  # noqa: E402
from tfx_testing.heads import HeadChecks  # noqa: E402
from tfx_testing.plugins import PluginChecks  # noqa: E402

__all__ = [
    "ArchitectureCase",
    "ArchitectureChecks",
    "AttentionChecks",
    "Checks",
    "HeadChecks",
    "PluginChecks",
    "Variant",
    "__version__",
    "each",
]
