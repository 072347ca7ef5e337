"""The command line, run within the test."""

from click.testing import CliRunner, Result

from tfx_core.cli import cli


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    """What ``tfx-core`` with these arguments prints, and how it ends."""
    return CliRunner().invoke(cli, arguments, input=stdin, prog_name="tfx-core")
