"""The command ``tfx-core``; importing it loads neither torch nor a plugin."""

import click

from tfx_core import __version__
from tfx_core.cli.group import CommandLine
from tfx_core.cli.output import json_text, say
from tfx_core.cli.progress import ProgressBar

__all__ = ["ProgressBar", "cli", "json_text", "main", "say"]


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Transformer models and the tasks they serve, from a small core and one distribution per family."""


def main() -> None:
    """Run the command line and end the process: 0, 1 for an error, 2 for wrong usage, 130 when interrupted."""
    cli()
