"""The top of the command line: finds commands by name and prints every error as one line."""

import sys
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import click
from click.shell_completion import CompletionItem

from tfx_core.cli import commands
from tfx_core.cli.errors import one_line_errors
from tfx_core.cli.flags import in_flags
from tfx_core.cli.output import TerminalContext
from tfx_core.errors import InputError, TfxError, UnknownNameError
from tfx_core.habits import hint, nearest


class Command(click.Command):
    """A command whose errors name options as they are typed."""

    context_class = TerminalContext

    def invoke(self, ctx: click.Context) -> Any:
        """As click's."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise InputError(in_flags(str(error), self)) from error


class Group(click.Group):
    """A group of such commands that answers a mistyped one with the nearest."""

    context_class = TerminalContext
    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            error = self.unknown(ctx, name)
            raise click.UsageError(str(error), ctx) if isinstance(error, UnknownNameError) else error
        return super().resolve_command(ctx, args)

    def unknown(self, ctx: click.Context, name: str) -> TfxError:
        """What to say of a name that is no command here; `UnknownNameError` where the user typed it wrongly."""
        known = self.list_commands(ctx)
        close = nearest(name, known)
        meant = f"did you mean {close!r}? " if close else ""
        return UnknownNameError(f"no command {name!r}; {meant}there are: {', '.join(known)}")


class ListedGroup(Group):
    """A group that lists its commands without having them, so that none can stop a listing."""

    heading: ClassVar[str] = "Commands"

    @abstractmethod
    def listed(self) -> Iterator[tuple[str, str]]:
        """The names of all commands to show, and what each does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return [name for name, _ in self.listed()]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's."""
        rows = list(self.listed())
        if rows:
            with formatter.section(self.heading):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """As click's."""
        found = [CompletionItem(name, help=what) for name, what in self.listed() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


class CommandLine(ListedGroup):
    """A group of the core's commands, imported when used, and those of plugins."""

    def listed(self) -> Iterator[tuple[str, str]]:
        """The core's commands, and what the plugins said of theirs."""
        for name, added in commands.names().items():
            if added is None:
                command = commands.find(name)
                assert command is not None
                yield name, command.get_short_help_str(commands.SUMMARY)
            elif not added.hidden:
                yield name, added.summary

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        return commands.find(cmd_name)

    def unknown(self, ctx: click.Context, name: str) -> TfxError:
        """As a group's, of what is not installed and what failed too."""
        from tfx_core.plugins.registry import missing

        told = hint("tfx-core", name)
        return missing("command", name, commands.names()) if told is None else UnknownNameError(f"no {name!r}: {told}")

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click's, with errors in one line."""
        with one_line_errors(debug="--debug" in args):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> None:
        """As click's, with errors in one line."""
        with one_line_errors(debug=bool(ctx.params.get("debug"))):
            super().invoke(ctx)
            sys.stdout.flush()  # now, for at exit Python would complain of a reader that has gone away
