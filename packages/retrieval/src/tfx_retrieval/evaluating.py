"""``tfx-core index evaluate``: how well an index finds the right passages of questions whose answers are known."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfx_core.cli import OutputPath, json_text, say, styled
from tfx_retrieval.commands import computing, opened_for
from tfx_retrieval.ways import HYBRID, VECTORS, WORDS, search_by, searching, way_of

if TYPE_CHECKING:
    from tfx_retrieval.evaluation import Judgements, Question, Run
    from tfx_retrieval.search import SearchIndex

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--questions",
    "-q",
    "asked",
    required=True,
    type=_FILE,
    help='One on each line: {"question": …, "topics": […] or "ids": […]}, or its id, a tab and the question.',
)
@click.option("--qrels", type=_FILE, help="TREC's file of what is relevant; by default topics and ids of questions.")
@click.option("--model", "-m", metavar="MODEL", help="Folder or hub id of the encoder. [default: the index's own]")
@click.option(
    "--run-out", type=OutputPath(path_type=Path), metavar="FILE", help="Write what was found as a run file of TREC."
)
@click.option("--json", "as_json", is_flag=True, help="Print one object of JSON.")
@searching
@computing
def evaluate(
    folder: Path,
    asked: Path,
    qrels: Path | None,
    model: str | None,
    run_out: Path | None,
    as_json: bool,
    hybrid: bool,
    lexical_only: bool,
    diverse: float | None,
    revision: str | None,
    **computing: Any,
) -> None:
    """Measure how well the index in FOLDER finds the right passages.

    Every way of searching that the index has is measured, or the one that is named. A passage is right for a question
    when its topic is one of "topics" or its id one of "ids", or as --qrels has it. The measures are trec_eval's, means
    over the questions that have a right passage, of the first hundred passages.
    """
    from tfx_retrieval import evaluation
    from tfx_retrieval.folder import manifest_of

    ways = _ways(way_of(hybrid=hybrid, lexical_only=lexical_only), has_words=manifest_of(folder).lexical)
    if run_out is not None and len(ways) > 1:
        raise click.UsageError("--run-out takes one search: add --hybrid or --lexical-only, or leave words out")
    questions = evaluation.read_questions(asked)
    given = None if qrels is None else evaluation.read_judgements(qrels)
    opened = opened_for(folder, model, revision, by_vectors=ways != [WORDS], **computing)
    judged = _judged(opened, questions) if given is None else given
    runs = {way: evaluation.run(search_by(way, opened, diverse), questions) for way in ways}
    measures = {way: evaluation.measure(run, judged) for way, run in runs.items()}
    if run_out is not None:
        evaluation.write_run(runs[ways[0]], run_out)
    _report(measures, runs[ways[0]], judged, as_json=as_json)


def _ways(way: str | None, *, has_words: bool) -> list[str]:
    """The ways to measure: the one asked for, or all that the index has."""
    if way is not None:
        return [way]
    return [VECTORS, WORDS, HYBRID] if has_words else [VECTORS]


def _judged(opened: "SearchIndex", questions: "list[Question]") -> "Judgements":
    from tfx_retrieval.evaluation import judged_by

    return judged_by(questions, opened.each_passage())


def _report(measures: Mapping[str, Mapping[str, float]], run: "Run", judged: "Judgements", *, as_json: bool) -> None:
    right = sum(any(grade > 0 for grade in judged.get(name, {}).values()) for name in run)
    if as_json:
        rounded = {way: {name: round(value, 6) for name, value in found.items()} for way, found in measures.items()}
        click.echo(json_text({"questions": right, "left_out": len(run) - right, "measures": rounded}))
        return
    names = list(next(iter(measures.values())))
    click.echo(styled("         " + "".join(f"{name:>12}" for name in names), dim=True))
    for way, found in measures.items():
        click.echo(f"{way:9}" + "".join(f"{value:12.3f}" for value in found.values()))
    left_out = f"; {len(run) - right} without a right passage in the index are left out" if right < len(run) else ""
    say(f"{right} questions{left_out}", error=True)
