"""``tfx-core glossary``: what several files have in common."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import click

from tfx_core.cli import Command, ProgressBar, given, json_text, loading, print_table
from tfx_core.errors import InputError


@click.command(cls=Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", "-m", required=True, metavar="MODEL", help="Folder or hub id of an encoder.")
@click.option("--top-k", type=click.IntRange(1), default=10, show_default=True, help="Keyphrases of each file.")
@click.option("--least", type=click.IntRange(1), default=2, show_default=True, help="In how many files a phrase is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each phrase.")
@loading
def glossary(files: tuple[Path, ...], model: str, top_k: int, least: int, as_json: bool, **how_to_load: Any) -> None:
    """List the keyphrases that FILES have in common, those of most files first."""
    from tfx_keyphrases.task import Keyphrases  # numpy, which a help page does without

    task = Keyphrases.load(model, **given(how_to_load), top_k=top_k, truncation=True)
    found: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    with ProgressBar("reading", len(files)) as bar:
        for keyphrases in task.stream([_text(file) for file in files], progress=bar.advance):
            for each in keyphrases:
                found[each["keyphrase"].casefold()].append((each["keyphrase"], each["score"]))
    entries = [
        (len(own), sum(score for _, score in own) / len(own), own[0][0]) for own in found.values() if len(own) >= least
    ]
    entries.sort(reverse=True)
    if as_json:
        for count, score, phrase in entries:
            click.echo(json_text({"keyphrase": phrase, "files": count, "score": round(score, 6)}))
    else:
        rows = [(str(count), f"{score:.3f}", phrase) for count, score, phrase in entries]
        print_table(("files", "score", "keyphrase"), rows)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8: {error}") from None
