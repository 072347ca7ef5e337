"""``tfx-core tokenizer``: train the tokenizer of a new model."""

from collections.abc import Sequence
from typing import Any

import click

from tfx_core.cli import Group, OutputPath, ProgressBar, json_text, say
from tfx_training.flags import NamedValue, by_name
from tfx_training.reading_flags import reading_flags, reading_of


@click.group(cls=Group)
def tokenizer() -> None:
    """Train the tokenizer of a new model."""


@tokenizer.command()
@click.option("--like", required=True, metavar="MODEL_TYPE", help="The family whose kind it is: bert, gpt2, t5, …")
@click.option("--vocab-size", required=True, type=click.IntRange(1), help="Tokens, special ones included.")
@click.option(
    "--kind",
    type=click.Choice(["bpe", "unigram", "wordpiece", "words"]),
    help="The kind of vocabulary, to be sure; each family has one.",
)
@click.option("--out", "-o", required=True, type=OutputPath(file_okay=False), help="Folder to save it to.")
@click.option(
    "--option",
    "options",
    multiple=True,
    type=NamedValue(),
    help="A setting of the family's tokenizers, saved with it: do_lower_case=false. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Say what was made as JSON.")
@reading_flags
def train(
    like: str,
    vocab_size: int,
    kind: str | None,
    out: str,
    options: Sequence[tuple[str, Any]],
    as_json: bool,
    corpus: Sequence[str],
    **reading: Any,
) -> None:
    """Train a tokenizer on a corpus and save it in the files that models of a family were released with."""
    from tfx_training.corpus import read_documents
    from tfx_training.vocabularies.training import train_tokenizer

    with ProgressBar("documents") as bar:

        def told() -> Any:
            for document in read_documents(corpus, reading_of(reading)):
                bar.advance()
                yield document

        settings = by_name(options, "--option")
        made = train_tokenizer(told(), like, vocab_size=vocab_size, kind=kind, **settings)
    made.save_pretrained(out)
    if as_json:
        say(json_text({"folder": out, "vocab_size": len(made), "special_tokens": made.special_tokens_map}))
    else:
        say(f"{out}: the tokenizer of a {like}, {len(made)} tokens")
