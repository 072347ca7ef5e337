"""``tfx-core new``: what somebody who extends tfx begins with."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from tfx_core.cli.group import Group
from tfx_core.cli.output import OutputPath, print_json, say
from tfx_core.plugins.template import KINDS, NewPlugin, check_empty, plugin_name


@click.group(cls=Group)
def new() -> None:
    """Write what a plugin of your own begins with."""


@new.command()
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(KINDS), default="architecture", show_default=True, help="What the plugin provides."
)
@click.option(
    "--directory",
    metavar="DIR",
    type=OutputPath(beside=True, file_okay=False),
    help="The folder to write, new or empty.  [default: tfx-NAME]",
)
@click.option("--dry-run", is_flag=True, help="List the files and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plugin(name: str, kind: str, directory: str | None, dry_run: bool, as_json: bool) -> None:
    """Write a distribution tfx-NAME that builds, installs and passes its tests as it is.

    NAME is what users will type: a model type, the name of a head, a task and so on, such as my-arch. Each file says
    what to change in it.
    """
    made = NewPlugin(plugin_name(name), kind)
    folder = Path(directory or made.distribution)
    if dry_run:
        check_empty(folder)
    else:
        made.write(folder)
    files, following = list(made.files()), _following(folder)
    if as_json:
        names = {"name": made.name, "kind": kind, "distribution": made.distribution, "package": made.package}
        print_json({**names, "folder": str(folder), "files": files, "written": not dry_run, "next": following})
        return
    say(f"{made.distribution} {'would be' if dry_run else 'is'} in {folder}:")
    for file in files:
        say(f"  {file}")
    if not dry_run:
        say("\nNext:")
        for command in following:
            say(f"  {command}")


def _following(folder: Path) -> Sequence[str]:
    """What to type then."""
    return [
        f"cd {shlex.quote(str(folder))}",
        'python -m pip install --editable ".[test]"',
        "python -m pytest",
        "tfx-core plugins --check",
    ]
