"""Write the page of the command line, every command with its options: `python docs/write_commands.py`."""

import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from tfx_core.cli import cli

PAGE = Path(__file__).parent / "command-line.md"
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")

BEGIN = """\
# The command line

`tfx-core` is one command; distributions add to it. This page has what `--help` says of every command and option where
all of tfx's distributions are installed.

Results are a table on a terminal, lines with tabs in a pipe, and JSON Lines with `--json`. An error is one line on
stderr: the exit code is 1, or 2 for wrong usage; `tfx-core --debug …` shows where it was raised. [Errors and their
cures](errors.md) has more.

```sh
tfx-core architectures | head -3
tfx-core doctor --json | head -c 20
```
"""


def pages() -> Iterator[tuple[Path, str]]:
    """File and content of the page."""
    yield PAGE, "\n".join([BEGIN, *_of(cli, click.Context(cli, info_name="tfx-core"))]) + "\n"


def _of(command: click.Command, context: click.Context) -> Iterator[str]:
    """A section for a command, and one for each in it."""
    yield from (f"## {context.command_path}", "", *_words(command.help or ""))
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from (f"Usage: `{usage}`", "")
    options = [each.get_help_record(context) for each in command.get_params(context)]
    shown = [
        f"- `{names}`: {_line(words)}" for names, words in filter(None, options) if words and "--help" not in names
    ]
    yield from (*shown, *([""] if shown else []))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _of(inner, click.Context(inner, info_name=name, parent=context))


def _words(text: str) -> Iterator[str]:
    """Paragraphs of a help text; those that click is not to wrap are lines of a program."""
    for paragraph in cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield from ("```text", paragraph.removeprefix("\b\n").rstrip(), "```", "")
        else:
            yield from (_line(paragraph), "")


def _line(text: str) -> str:
    """One line of Markdown: names of options are code, and what looks like a tag is none."""
    parts = " ".join(text.split()).replace("``", "`").split("`")
    parts[::2] = [OPTION.sub(r"`\g<0>`", each).replace("<", "&lt;") for each in parts[::2]]  # between them is code
    return "`".join(parts)


if __name__ == "__main__":
    for file, text in pages():
        file.write_text(text, encoding="utf-8")
