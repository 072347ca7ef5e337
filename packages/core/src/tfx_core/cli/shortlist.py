"""``tfx-core shortlist``: from translated texts to the file that ``tfx-core run translation --shortlist`` takes."""

from collections.abc import Sequence
from pathlib import Path

import click

from tfx_core.cli.group import Command
from tfx_core.cli.output import OutputPath
from tfx_core.errors import InputError

_TEXTS = click.Path(exists=True, dir_okay=False)
_AT_ONCE = 1_000


@click.command(cls=Command)
@click.argument("sources", type=_TEXTS)
@click.argument("targets", type=_TEXTS)
@click.option("--model", "-m", metavar="MODEL", required=True, help="Folder or hub id; its tokenizer makes the tokens.")
@click.option("--output", "-o", type=OutputPath(beside=True, dir_okay=False, writable=True), required=True,
              help="File to write.")  # fmt: skip
def shortlist(sources: str, targets: str, model: str, output: str) -> None:
    """Count which tokens translate which.

    Line by line, TARGETS are translations of SOURCES. Each line of the file that is written is a token of a target, one
    of a source, or NULL, and how likely that translates this: Marian's form.
    """
    from tfx_core.checkpoint import replacing
    from tfx_core.generation import LexicalTable
    from tfx_core.model import load_tokenizer

    pairs = _lines(sources), _lines(targets)
    if len(pairs[0]) != len(pairs[1]):
        raise InputError(f"{sources} has {len(pairs[0])} lines, {targets} {len(pairs[1])}; must be as many")
    tokenizer = load_tokenizer(model)
    found: list[tuple[Sequence[int], Sequence[int]]] = []
    for begin in range(0, len(pairs[0]), _AT_ONCE):
        source, target = (lines[begin : begin + _AT_ONCE] for lines in pairs)
        of_source = tokenizer(source, add_special_tokens=False)["input_ids"]
        of_target = tokenizer(text_target=target, add_special_tokens=False)["input_ids"]
        found += zip(of_source, of_target, strict=True)
    table = LexicalTable.counted(found)
    with replacing(Path(output)) as temporary:
        table.write(temporary, tokenizer)


def _lines(path: str) -> list[str]:
    """The lines of a file; raises `InputError` where it is not UTF-8."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            return [line.rstrip("\r\n") for line in file]
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8: {error}") from None
