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
need. Each plugin is asked on its own: it cannot see, replace or break what another provides. What is wrong with one,
``tfx-core plugins --check`` says, of a built wheel too.
"""

from collections.abc import Callable
from types import GenericAlias
from typing import TYPE_CHECKING

import pluggy

from tfx_core.plugins.specs import KINDS, Spec

if TYPE_CHECKING:
    import click

PROJECT = "tfx_core"
"""pluggy's project name, and the entry-point group in which plugins are looked for."""

hookspec = pluggy.HookspecMarker(PROJECT)

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a plugin's function as the answer to the hook of the same name."""


def _hook_of(kind: type[Spec]) -> Callable[[], list[Spec]]:
    """The hook that asks for the specs of a kind; pluggy and ``help()`` read its signature and docstring."""

    def hook() -> list[Spec]:
        raise NotImplementedError("a hook is asked of plugins, never called itself")

    hook.__name__ = hook.__qualname__ = kind.hook
    hook.__doc__ = kind.hook_doc
    hook.__annotations__["return"] = GenericAlias(list, (kind,))
    return hookspec(hook)


globals().update({kind.hook: _hook_of(kind) for kind in KINDS})


@hookspec
def tfx_commands(cli: "click.Group") -> None:
    """Commands for ``tfx-core``, added with ``cli.add_command`` or ``@cli.command()``; ``cli`` holds no others."""
