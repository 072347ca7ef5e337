"""The options of commands that read a corpus."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def reading_corpus(command: Command) -> Command:
    """Add the options that say what the corpus is: ``corpus`` and those that `reading_of` takes."""
    for option in (
        click.option(
            "--corpus",
            "-c",
            required=True,
            multiple=True,
            metavar="PATH",
            help="A file of texts or JSON lines (.gz too), .parquet or .arrow, a folder, a pattern, pydoc:topics for "
            "Python's language reference, or hub:NAME for a data set. Repeatable.",
        ),
        click.option(
            "--documents",
            type=click.Choice(["blank-lines", "files", "lines"]),
            default="blank-lines",
            show_default=True,
            help="What a document is in a file of texts: what stands between blank lines, the file, or a line.",
        ),
        click.option(
            "--sentences",
            type=click.Choice(["rule", "lines", "none", "sentencex"]),
            default="rule",
            show_default=True,
            help="Where sentences end.",
        ),
        click.option("--language", default="", help="Language, or control code, of texts that do not tell theirs."),
        click.option("--pair", default="", metavar="EN-FR", help="Languages of translations, and of parallel files."),
        click.option("--split", default="train", show_default=True, help="The part of a data set."),
    ):
        command = option(command)
    return command


def reading_of(documents: str, sentences: str, language: str, pair: str, split: str) -> Any:
    """The `tfx_training.Reading` of these options."""
    from tfx_training.corpus import Reading

    return Reading(documents, sentences, language, pair, split)
