"""Which commands ``tfx-core`` has: the core's own, and those that plugins add."""

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import click

from tfx_core.errors import PluginError
from tfx_core.plugins import discovery
from tfx_core.plugins.asking import COMMANDS_HOOK
from tfx_core.plugins.discovery import Plugin, PluginWarning, Status
from tfx_core.plugins.distributions import normalise

OWN: Mapping[str, str] = {
    "architectures": "tfx_core.cli.architectures:architectures",
    "plugins": "tfx_core.cli.plugins:plugins",
    "run": "tfx_core.cli.run:run",
}
"""The core's commands, imported when used; a plugin cannot take their names."""


@dataclass(frozen=True)
class Added:
    """A command and the plugin that adds it."""

    name: str
    command: click.Command
    plugin: Plugin

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


def names() -> list[str]:
    """All names to list, qualified by distribution where the bare one would not reach the command."""
    added = ask().added
    bare = [*OWN, *(entry.name for entry in added)]
    return sorted([*OWN, *(entry.name if bare.count(entry.name) == 1 else entry.qualified for entry in added)])


def find(name: str) -> click.Command | None:
    """The command of a name or ``"distribution:name"``; raises `PluginError` when several plugins add it."""
    if name in OWN:  # without asking a plugin: `tfx-core plugins` works whatever is installed
        command = discovery.resolve(OWN[name])
        assert isinstance(command, click.Command)
        return command
    distribution, _, bare = name.rpartition(":")
    found = [entry for entry in ask().added if entry.name == bare]
    if distribution:
        found = [entry for entry in found if normalise(entry.plugin.distribution) == normalise(distribution)]
    if len(found) > 1:
        givers = " and ".join(entry.plugin.label for entry in found)
        choices = " or ".join(entry.qualified for entry in found)
        raise PluginError(f"command {bare!r} is added by {givers}: say which with {choices}")
    return found[0].command if found else None


def _asked(plugin: Plugin) -> tuple[list[Added], Plugin]:
    """The commands of one plugin, and the plugin as it stands after the question."""
    if not plugin.usable or plugin.manager is None:
        return [], plugin
    group = click.Group("tfx-core")  # one of its own: what a plugin does to it concerns nobody else
    try:
        getattr(plugin.manager.hook, COMMANDS_HOOK)(cli=group)
        for name, command in group.commands.items():
            if not isinstance(command, click.Command):
                raise TypeError(f"{name!r} is an object of type {type(command).__qualname__}, not a click command")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin that calls sys.exit() must not end the program either
        reason = f"its {COMMANDS_HOOK} raised {type(error).__name__}: {error}; its commands are missing"
        return [], replace(plugin, status=Status.FAILED, reason=reason, error=error)
    return [Added(name, command, plugin) for name, command in group.commands.items()], plugin


def _with_clashes(asked: Sequence[Plugin], added: Sequence[Added]) -> list[Plugin]:
    """Mark the plugins that add a command which the core or another plugin has too."""
    givers: dict[str, list[str]] = defaultdict(list, {name: ["the core itself"] for name in OWN})
    for entry in added:
        givers[entry.name].append(entry.plugin.label)
    judged = []
    for plugin in asked:
        reasons = [plugin.reason] if plugin.reason else []
        for entry in added:
            others = [giver for giver in givers[entry.name] if giver != plugin.label]
            if entry.plugin is plugin and others:
                reasons.append(
                    f"command {entry.name!r} is also added by {' and '.join(others)}: {entry.qualified} is its"
                )
        clashing = len(reasons) > bool(plugin.reason)
        judged.append(replace(plugin, status=Status.CONFLICTING, reason="; ".join(reasons)) if clashing else plugin)
    return judged
