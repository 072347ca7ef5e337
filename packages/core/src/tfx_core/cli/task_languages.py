"""``tfx-core run TASK --languages``: what the languages of a model are called."""

from typing import Any

import click

from tfx_core.cli.output import in_a_field, print_json
from tfx_core.errors import InputError
from tfx_core.tasks.directions import TellsLanguages

FLAG = "list_languages"

OPTION = click.Option(
    ["--languages", FLAG], is_flag=True, help="Print the languages that MODEL translates between, and do nothing else."
)


def print_languages(
    task: type[TellsLanguages],
    model: str,
    *,
    tokenizer: str | None,
    revision: str | None,
    provider: str | None,
    as_json: bool,
    **_: Any,
) -> None:
    """A language a line, or the two of a pair, where only pairs are known; `InputError` where nothing is."""
    known = task.directions_of(model, tokenizer=tokenizer, revision=revision, provider=provider)
    if as_json:
        print_json({"languages": list(known.languages), "pairs": [list(pair) for pair in known.pairs]})
        return
    if not known.languages and not known.pairs:
        raise InputError(f"{model}: its files name no languages; it translates one way, or what a prefix asks for")
    for line in known.languages or known.pairs:
        click.echo("\t".join(in_a_field(str(name)) for name in ([line] if isinstance(line, str) else line)))
