"""The top of the command line: finds commands by name and prints every error as one line."""

import sys
from typing import Any

import click

from tfx_core.cli import commands
from tfx_core.cli.errors import one_line_errors
from tfx_core.errors import UnknownNameError


class CommandLine(click.Group):
    """A group of the core's commands, imported when used, and those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return commands.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        return commands.find(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with an error that knows what is not installed and what failed."""
        name = args[0]
        if not name.startswith("-") and not ctx.resilient_parsing and commands.find(name) is None:
            from tfx_core.plugins.registry import missing

            error = missing("command", name, commands.names())
            raise click.UsageError(str(error), ctx) if isinstance(error, UnknownNameError) else error
        return super().resolve_command(ctx, args)

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
