"""``tfx-core finetune``."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from tfx_core.cli import Command, OutputPath, say
from tfx_training.flags import given_settings, training_flags
from tfx_training.pretraining import report

_PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")
_OPTIONS = ("problem", "prefix", "src_lang", "tgt_lang", "target_length", "stride")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _pairs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """NAME=COLUMN, several times."""
    found = {}
    for each in value:
        name, equals, column = each.partition("=")
        if not (name and equals and column):
            raise click.BadParameter(
                f"{each!r}: write what a row needs and its column, as in text=sentence", ctx, param
            )
        found[name] = column
    return found


_OTHERS = {
    "epochs": "3",
    "batch_size": "32, or all rows",
    "rate": "2e-5 to 5e-5, by the head",
    "warmup": "a tenth of all",
    "evaluate_every": "an epoch",
    "save_every": "an epoch",
    "keep_best": "with --held-out",
}
"""Settings whose defaults are those of fine-tuning."""


ROWS = """\b
What a row needs, and the task or head that it is for:
  text, label; perhaps pair     text-classification
  words, labels                 token-classification
  question, context, answers    question-answering (SQuAD's files, too)
  text, choices, label          --head multiple-choice
  source, target                summarization, translation, text2text-generation
  prompt, completion            text-generation
"""


@click.command(cls=Command, epilog=ROWS)
@click.option("--model", "-m", required=True, metavar="MODEL", help="Folder or hub id of the model to begin with.")
@click.option("--task", metavar="TASK", help="The task that is learnt, as tfx-core run has it.")
@click.option("--head", metavar="HEAD", help="Or the head: multiple-choice has no task.")
@click.option("--train", "rows", required=True, type=_FILE, help="Rows to learn: .jsonl, .json, .csv, .tsv or .conll.")
@click.option("--held-out", type=_FILE, help="Rows to measure on.")
@click.option("--out", "-o", required=True, type=OutputPath(path_type=Path), metavar="FOLDER",
              help="Where model, log and checkpoints go; there the same command goes on.")  # fmt: skip
@click.option("--column", "columns", multiple=True, callback=_pairs, metavar="NAME=COLUMN",
              help="Where a row has what it needs: text=sentence. [default: the names often used]")  # fmt: skip
@click.option("--problem", type=click.Choice(_PROBLEMS),
              help="What labels of texts are. [default: as they look]")  # fmt: skip
@click.option("--prefix", help="What stands before every source. [default: what the model says for the task]")
@click.option("--src-lang", help="Language of the sources.")
@click.option("--tgt-lang", help="Language of the targets.")
@click.option(
    "--length", type=click.IntRange(1), help="Most tokens of a row. [default: 512 (questions: 384), or fewer]"
)
@click.option("--target-length", type=click.IntRange(1), help="Most tokens of a target. [default: 128]")
@click.option("--stride", type=click.IntRange(0), help="Tokens that windows of a text share. [default: 128]")
@partial(training_flags, others=_OTHERS)
@click.option("--revision", help="Revision of a hub model.")
@click.option(
    "--resume/--anew",
    default=None,
    help="Go on from a checkpoint in --out, or begin anew. [default: go on if there is one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one object of JSON.")
def finetune(
    model: str,
    task: str | None,
    head: str | None,
    rows: Path,
    held_out: Path | None,
    out: Path,
    columns: Mapping[str, str],
    length: int | None,
    revision: str | None,
    resume: bool | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Teach a pretrained model a task from labelled rows.

    The folder is one to run: tfx-core run TASK --model FOLDER. Killed anywhere, the same command goes on.
    """
    from tfx_training.finetuning import metrics
    from tfx_training.finetuning.running import prepared_tuning
    from tfx_training.loop.processes import processes

    if (task is None) == (head is None):
        raise click.UsageError("give --task or --head, and not both")
    options = {name: given[name] for name in _OPTIONS if given[name] is not None}
    hub: Any = {} if revision is None else {"revision": revision}
    tuning = prepared_tuning(
        model,
        rows,
        held_out,
        task=task,
        head=head,
        columns=columns,
        length=length,
        seed=given["seed"] or 0,
        hub=hub,
        **options,
    )
    if processes().is_main_process:
        _tell(tuning, metrics.missing() if held_out is not None else "")
    trained = tuning.train(out, tuning.settings(**given_settings(given)), resume=resume)
    report(trained, as_json=as_json)


def _tell(tuning: Any, missing: str) -> None:
    """Say on stderr what is read, so that a wrong guess shows before the training."""
    read = ", ".join(f"{name} from {column!r}" for name, column in tuning.columns.items())
    unread = f"; {', '.join(map(repr, tuning.unread))} not" if tuning.unread else ""
    problem = getattr(tuning.objective, "problem", "")
    what = f"; learnt as {problem}" if problem else ""
    say(f"{len(tuning.corpus)} rows: {read}{unread}{what}", error=True)
    if missing:
        say(missing, error=True)
