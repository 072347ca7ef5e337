"""A folder of distributions that exist for one test: metadata and modules as pip would have left them."""

import re
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from tfx_core.plugins import ArchitectureSpec, Spec, discovery, registry
from tfx_core.plugins.discovery import Plugin, PluginWarning

FITTING = "tfx-core>=0.1,<100"
TARGET = "math:pi"
"""Something to import, whatever it is taken for."""


class FakeSite:
    """Stands for site-packages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()

    def install(
        self,
        distribution: str,
        plugin: str = "",
        *,
        named: str = "",
        entry_point: str = "",
        version: str = "1.0",
        requires: Sequence[str] = (FITTING,),
        entry_points: str | None = None,
    ) -> str:
        """Install a distribution whose plugin module has the given source; returns the module's name.

        ``named`` is what its metadata say, where that is no name for a file.
        """
        module = f"{re.sub(r'[-.]', '_', distribution)}_plugin".lower()
        self.write(f"{module}.py", plugin)
        info = f"{distribution.replace('-', '_')}-{version if not named else 0}.dist-info"
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        self.write(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {named or distribution}\nVersion: {version}\n{needs}"
        )
        if entry_points is None:
            entry_points = f"[tfx_core]\n{entry_point or distribution} = {module}\n"
        self.write(f"{info}/entry_points.txt", entry_points)
        return module

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))


def architectures(*names: str, classes: Mapping[str, str] | None = None) -> str:
    """The source of a plugin that provides architectures; ``classes`` are those of all of them."""
    return f"""
from tfx_core import ArchitectureSpec, hookimpl

CLASSES = {dict(classes or {})!r}

@hookimpl
def tfx_architectures():
    return [
        ArchitectureSpec(name, target={TARGET!r}, heads=("masked-lm",), hf_classes=CLASSES)
        for name in {names!r}
    ]
"""


def command(name: str, body: str) -> str:
    """The source of a plugin that adds one command to the command line."""
    return f"""
import click
from tfx_core import hookimpl

@hookimpl
def tfx_commands(cli):
    @cli.command({name!r})
    def added():
        "A command of a test."
        {body}
"""


def plugin_of(distribution: str) -> Plugin:
    """What became of the one plugin of a distribution."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        (plugin,) = (plugin for plugin in discovery.discovered() if plugin.distribution == distribution)
    return plugin


def names(kind: type[Spec] = ArchitectureSpec) -> set[str]:
    """The names of a kind that can be looked up."""
    return {entry.spec.name for entry in registry.specs(kind)}
