"""Options of commands that read a corpus, and the corpus that they say."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tfx_core.cli import ProgressBar

if TYPE_CHECKING:
    from tfx_core import Tokenizer
    from tfx_training.corpus import Reading, TokenCorpus

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--corpus",
        "-c",
        multiple=True,
        required=True,
        metavar="PATH",
        help="Texts: a file of texts or JSON lines (.gz too), .parquet, .arrow, a folder, a pattern, pydoc:topics for "
        "Python's language reference, or hub:NAME for a data set. Repeatable.",
    ),
    click.option(
        "--documents",
        type=click.Choice(["blank-lines", "files", "lines"]),
        help="What a document is in a file of texts. [default: blank-lines]",
    ),
    click.option(
        "--sentences",
        type=click.Choice(["rule", "lines", "none", "sentencex"]),
        help="How the ends of sentences are found. [default: rule]",
    ),
    click.option("--group", metavar="NAME", help="Language, or control code, of texts that do not tell theirs."),
    click.option("--pair", metavar="EN-FR", help="The two languages of translations, and of parallel files."),
    click.option("--split", metavar="NAME", help="The part of a data set. [default: train]"),
)
HELD_OUT = click.option(
    "--held-out",
    multiple=True,
    metavar="SHARE|PATH",
    help="What to evaluate on: a share of the documents, such as 0.01, or other texts.",
)


def reading_flags(function: Function) -> Function:
    """Add the options that say what the corpus is: ``corpus``, and those that `reading_of` reads."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def reading_of(values: Mapping[str, Any]) -> "Reading":
    """How the texts are read, of these options."""
    from tfx_training.corpus import Reading

    options = {name: values[name] for name in ("documents", "sentences", "group", "pair", "split")}
    return Reading(**{name: value for name, value in options.items() if value is not None})


def corpora_of(
    tokenizer: "Tokenizer", paths: Sequence[str], held_out: Sequence[str], out: Path, values: Mapping[str, Any]
) -> "tuple[TokenCorpus, TokenCorpus | None]":
    """What is learnt from and what is held out, tokenized once into folders in ``out`` by one of the processes."""
    from tfx_training.loop.processes import processes

    reading = reading_of(values)
    share = _share(held_out)
    with processes().main_process_first():
        training, apart = _prepared(tokenizer, paths, out / "corpus", reading, share)
        if held_out and not share:
            apart, _ = _prepared(tokenizer, held_out, out / "corpus-held-out", reading, 0.0)
    return training, apart


def _share(held_out: Sequence[str]) -> float:
    """The share of documents to hold out, where that is what was said."""
    try:
        (share,) = map(float, held_out)
    except ValueError:
        return 0.0
    return share


def _prepared(
    tokenizer: "Tokenizer", paths: Sequence[str], folder: Path, reading: "Reading", share: float
) -> "tuple[TokenCorpus, TokenCorpus | None]":
    from tfx_training.corpus import find_sources, prepared_corpus, source_bytes

    with ProgressBar("reading", source_bytes(find_sources(paths, reading))) as bar:
        return prepared_corpus(paths, tokenizer, folder, reading=reading, held_out=share, progress=bar.advance)
