"""The command ``tfx-core``; importing it loads neither torch nor a plugin."""

import click

from tfx_core import __version__
from tfx_core.cli.columns import display_width, padded, shortened, wrapped
from tfx_core.cli.group import Command, CommandLine, Group
from tfx_core.cli.loading import given, loading
from tfx_core.cli.output import OutputPath, json_text, print_table, say, styled, table_width
from tfx_core.cli.progress import ProgressBar

__all__ = [
    "Command",
    "Group",
    "OutputPath",
    "ProgressBar",
    "cli",
    "display_width",
    "given",
    "json_text",
    "loading",
    "main",
    "padded",
    "print_table",
    "say",
    "shortened",
    "styled",
    "table_width",
    "wrapped",
]

COMPLETION = """\b
Completion of commands, tasks and options, for the shell that reads this line:
  eval "$(_TFX_CORE_COMPLETE=bash_source tfx-core)"     (or zsh_source)
  _TFX_CORE_COMPLETE=fish_source tfx-core | source
"""


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]}, epilog=COMPLETION)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Transformer models and the tasks they serve, from a small core and one distribution per family."""


def main() -> None:
    """Run the command line and end the process: 0, 1 for an error, 2 for wrong usage, 130 when interrupted."""
    cli()
