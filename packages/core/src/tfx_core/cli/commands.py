"""Which commands ``tfx-core`` has: the core's own, and those that plugins add."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from tfx_core.cli.output import strangers_on_stderr
from tfx_core.errors import PluginError, in_one_line, shown
from tfx_core.plugins import discovery, official
from tfx_core.plugins.asking import COMMANDS_HOOK, misnamed
from tfx_core.plugins.discovery import Plugin, PluginWarning, Status
from tfx_core.plugins.distributions import normalise

OWN: Mapping[str, str] = {
    "architectures": "tfx_core.cli.architectures:architectures",
    "attention": "tfx_core.cli.attention_maps:attention",
    "attention-cost": "tfx_core.cli.attention:attention_cost",
    "attention-picture": "tfx_core.cli.attention:attention_picture",
    "doctor": "tfx_core.cli.doctor:doctor",
    "plugins": "tfx_core.cli.plugins:plugins",
    "run": "tfx_core.cli.run:run",
    "shortlist": "tfx_core.cli.shortlist:shortlist",
}
"""The core's commands, imported when used; a plugin cannot take their names."""

SUMMARY = 60
"""Characters that listings show of what a command does."""


@dataclass(frozen=True)
class Added:
    """A command and the plugin that adds it."""

    name: str
    command: click.Command
    plugin: Plugin
    summary: str
    hidden: bool

    @property
    def qualified(self) -> str:
        """``"distribution:name"``, which always reaches this one."""
        return f"{self.plugin.distribution}:{self.name}"


@dataclass(frozen=True)
class Answers:
    """What the plugins answered when asked for commands."""

    added: Sequence[Added]
    plugins: Sequence[Plugin]
    """All plugins, their status as it is now that they were asked for commands too."""


_latest: tuple[tuple[Plugin, ...], Answers] | None = None


def ask(*, strict: bool | None = None) -> Answers:
    """Ask every usable plugin for its commands; one that fails is one warning, and keeps no other from being asked.

    ``strict`` is as in `tfx_core.plugins.discovery.discovered`.
    """
    global _latest
    with strangers_on_stderr():
        found = discovery.discovered(strict=strict)
        fresh = _latest is None or _latest[0] is not found
        if _latest is None or fresh:
            added, asked = [], []
            for plugin in found:
                own, judged = _asked(plugin)
                added += own
                asked.append(judged)
            _latest = found, Answers(added, _with_clashes(asked, added))
    answers = _latest[1]
    strict = discovery.is_strict() if strict is None else strict
    for before, plugin in zip(found, answers.plugins, strict=True):
        if strict and plugin.problem:
            raise PluginError(plugin.outcome) from plugin.error
        if fresh and before.usable and not plugin.usable:
            warnings.warn(plugin.outcome, PluginWarning, stacklevel=2)
    return answers


def names() -> dict[str, Added | None]:
    """All names to list with what a plugin adds under them, qualified where the bare one does not reach the command."""
    added = ask().added
    listed = {entry.name if _givers(entry.name, added) == [entry] else entry.qualified: entry for entry in added}
    return {name: listed.get(name) for name in sorted({*OWN, *listed})}


def find(name: str) -> click.Command | None:
    """The command of a name or ``"distribution:name"``; raises `PluginError` when several plugins add it."""
    if name in OWN:  # without asking a plugin: `tfx-core plugins` works whatever is installed
        command = discovery.resolve(OWN[name])
        assert isinstance(command, click.Command)
        return command
    distribution, _, bare = name.rpartition(":")
    found = [entry for entry in ask().added if entry.name == bare]
    if distribution:
        found = [entry for entry in found if entry.plugin.owner == normalise(distribution)]
    else:
        found = _givers(bare, found)
    if len(found) > 1:
        givers = " and ".join(entry.plugin.label for entry in found)
        choices = " or ".join(entry.qualified for entry in found)
        raise PluginError(f"command {bare!r} is added by {givers}: say which with {choices}")
    return found[0].command if found else None


def _givers(name: str, added: Sequence[Added]) -> list[Added]:
    """Those whom a bare name stands for, by the rule of `tfx_core.plugins.registry`; the core's own go before all."""
    owner = official.distribution_of("command", name)
    return [entry for entry in added if entry.name == name and name not in OWN and owner in (None, entry.plugin.owner)]


def _asked(plugin: Plugin) -> tuple[list[Added], Plugin]:
    """The commands of one plugin, and the plugin as it stands after the question."""
    added: list[Added] = []

    def examination() -> Plugin:
        group = click.Group("tfx-core")  # one of its own: what a plugin does to it concerns nobody else
        with discovery.step(f"its {COMMANDS_HOOK} raised", "its commands are missing"):
            assert plugin.manager is not None
            getattr(plugin.manager.hook, COMMANDS_HOOK)(cli=group)
            added.extend(_added(name, command, plugin) for name, command in list(group.commands.items()))
        return plugin

    if not plugin.usable or plugin.manager is None:
        return [], plugin
    judged = discovery.guarded(plugin, examination)
    return (added if judged is plugin else []), judged


def _added(name: Any, command: object, plugin: Plugin) -> Added:
    """A command with all that listings show of it, read once and here: a plugin's command can raise anything."""
    if not isinstance(command, click.Command):
        raise TypeError(f"{shown(name)} is {shown(command)}, not a click command")
    if fault := misnamed(name):
        raise ValueError(f"{shown(name)} is {fault}")
    summary = in_one_line(str.__str__(command.get_short_help_str(SUMMARY)), 2 * SUMMARY)
    return Added(str.__str__(name), command, plugin, summary, bool(command.hidden))


def _with_clashes(asked: Sequence[Plugin], added: Sequence[Added]) -> list[Plugin]:
    """Mark the plugins that add a command which the core or another plugin has too."""
    judged = []
    for plugin in asked:
        reasons = [plugin.reason] if plugin.reason else []
        for entry in added:
            if entry.plugin.key != plugin.key:
                continue
            owner = official.distribution_of("command", entry.name)
            if entry.name in OWN:
                givers = ["the core itself"]
            elif owner not in (None, plugin.owner):
                givers = [owner]
            else:
                givers = [other.plugin.label for other in _givers(entry.name, added) if other is not entry]
            if givers:
                reasons.append(
                    f"command {entry.name!r} is also added by {' and '.join(givers)}: {entry.qualified} is its"
                )
        clashing = len(reasons) > bool(plugin.reason)
        reason = in_one_line("; ".join(reasons), 1_500)
        judged.append(replace(plugin, status=Status.CONFLICTING, reason=reason) if clashing else plugin)
    return judged
