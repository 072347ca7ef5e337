"""The hooks that a plugin can answer: how a distribution tells tfx what it provides.

A plugin is a module that a distribution names in its ``pyproject.toml``::

    [project.entry-points."tfx_core"]
    myarch = "tfx_myarch.plugin"

It imports nothing but `tfx_core.hookimpl` and specs, and answers any of the hooks below, each with a list of specs
whose targets are strings. The code behind a name is imported when the name is first used, so a plugin module must stay
light: no torch, no models, no files read::

    from tfx_core import ArchitectureSpec, hookimpl

    TFX_API = 1  # the level of this protocol that the plugin was written for; optional

    @hookimpl
    def tfx_architectures():
        return [ArchitectureSpec("myarch", target="tfx_myarch.model:ARCHITECTURE", heads=("masked-lm",))]

State in the metadata which versions of the core fit, ``dependencies = ["tfx-core>=0.1,<1"]``: that is read before the
module is imported. A plugin that is to run on an older core too marks an answer to a newer hook
``@hookimpl(optionalhook=True)``. Arguments and hooks are only ever added; an answer may leave out arguments it does not
need. Each plugin is asked on its own: it cannot see, replace or break what another provides.
"""

# pluggy reads signatures and docstrings; the bodies are never run.
# mypy: disable-error-code="empty-body"

from typing import TYPE_CHECKING

import pluggy

from tfx_core.plugins.specs import (
    ArchitectureSpec,
    AttentionSpec,
    HeadSpec,
    IndexSpec,
    LinearSpec,
    ObjectiveSpec,
    TaskSpec,
)

if TYPE_CHECKING:
    import click

PROJECT = "tfx_core"
"""pluggy's project name, and the entry-point group in which plugins are looked for."""

hookspec = pluggy.HookspecMarker(PROJECT)

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's function as the answer to the hook of the same name."""


@hookspec
def tfx_architectures() -> list[ArchitectureSpec]:
    """Model types, each with its heads and the class names that ``config.json`` files use for it."""


@hookspec
def tfx_heads() -> list[HeadSpec]:
    """Heads that fit any architecture with a given capability, such as a CRF over token states."""


@hookspec
def tfx_attentions() -> list[AttentionSpec]:
    """Attention kernels that ``load_model(…, attention=name)`` can select."""


@hookspec
def tfx_linears() -> list[LinearSpec]:
    """Packed linear kernels that inference can use in place of ``nn.Linear``."""


@hookspec
def tfx_tasks() -> list[TaskSpec]:
    """Tasks that ``tfx_core.pipeline(name)`` and ``tfx-core run`` can carry out."""


@hookspec
def tfx_objectives() -> list[ObjectiveSpec]:
    """Pretraining objectives: how a corpus becomes batches, and the loss."""


@hookspec
def tfx_indexes() -> list[IndexSpec]:
    """Passage indexes for retrieval."""


@hookspec
def tfx_commands(cli: "click.Group") -> None:
    """Commands for ``tfx-core``, added with ``cli.add_command`` or ``@cli.command()``; ``cli`` holds no others."""
