"""What is installed, known by name: specs, the hooks that ask for them, look-up. Imports neither torch nor a model."""

from tfx_core.plugins import registry
from tfx_core.plugins.discovery import register, unregister
from tfx_core.plugins.hookspecs import hookimpl
from tfx_core.plugins.specs import (
    ArchitectureSpec,
    AttentionSpec,
    HeadSpec,
    IndexSpec,
    LinearSpec,
    ObjectiveSpec,
    Spec,
    TaskSpec,
)

__all__ = [
    "ArchitectureSpec",
    "AttentionSpec",
    "HeadSpec",
    "IndexSpec",
    "LinearSpec",
    "ObjectiveSpec",
    "Spec",
    "TaskSpec",
    "hookimpl",
    "register",
    "registry",
    "unregister",
]
