"""``tfx-core index``: build an index of passages and search it. Models and FAISS are imported when a command runs."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tfx_core.cli import Group, OutputPath, given, json_text, loading, say, table_width
from tfx_core.errors import InputError, in_one_line
from tfx_retrieval.ways import VECTORS, WORDS, search_by, searching, way_of

if TYPE_CHECKING:
    from tfx_core.embedding import Passage
    from tfx_retrieval.encoder import MeasuringEncoder
    from tfx_retrieval.hits import Hit
    from tfx_retrieval.manifest import Manifest
    from tfx_retrieval.search import SearchIndex
    from tfx_retrieval.shards import Shard
    from tfx_retrieval.sources import Collection, Survey

_QUESTION_MODEL = f"{__name__}.question_model"
"""Where the context of a command keeps that option, which concerns the loading of models alone."""

Command = TypeVar("Command", bound=Callable[..., Any])

_PIPE_WIDTH = 100
"""Width of a table that does not go to a terminal."""

_LISTED = 20
"""Files that could not be read that are named one by one; ``--json`` has them all."""

_QUESTIONS = 256
"""Questions that are searched together; their answers are printed before the next are read."""


@click.group(cls=Group)
def index() -> None:
    """Build and search an index of passages."""


def computing(command: Command) -> Command:
    """Add the options that say how a model is run."""
    for option in (
        click.option(
            "--question-model",
            metavar="MODEL",
            expose_value=False,
            callback=lambda context, _, name: context.meta.update({_QUESTION_MODEL: name}),
            help="Folder or hub id of the encoder of questions, where the model encodes passages alone.",
        ),
        click.option("--batch-tokens", type=click.IntRange(1), help="Tokens of one forward pass, padding included."),
        loading,
    ):
        command = option(command)
    return command


@index.command()
@click.option("--model", "-m", required=True, metavar="MODEL", help="Folder or hub id of a text encoder.")
@click.option(
    "--source",
    "-s",
    "sources",
    required=True,
    multiple=True,
    metavar="SOURCE",
    help="A .txt, .md or .jsonl file, a folder of them, or pydoc:topics for Python's language reference. Repeatable.",
)
@click.option(
    "--output",
    "-o",
    required=True,
    type=OutputPath(path_type=Path),
    metavar="FOLDER",
    help="Where the index is kept; an index that is there is replaced as a whole.",
)
@click.option("--index", "kind", default="flat", show_default=True, metavar="NAME", help="Kind of index.")
@click.option("--index-option", "settings", multiple=True, metavar="KEY=VALUE", help="Option of that kind. Repeatable.")
@click.option(
    "--passage-words",
    type=click.IntRange(0),
    default=120,
    show_default=True,
    metavar="N",
    help="Longest passage in words; 0 keeps every text whole.",
)
@click.option("--topic-prefix/--no-topic-prefix", default=True, show_default=True, help="Embed TOPIC: TEXT.")
@click.option("--lexical", is_flag=True, help="Keep the words too, for `index search --hybrid` and --lexical-only.")
@click.option(
    "--shards",
    metavar="PART/PARTS",
    help="Build one part of the passages, such as 2/4; `tfx-core index merge` puts the parts together.",
)
@click.option("--force", is_flag=True, help="Build again even when nothing has changed.")
@click.option(
    "--exclude", multiple=True, metavar="GLOB", help="Pass over what has such a name or path in a folder. Repeatable."
)
@click.option("--strict", is_flag=True, help="Stop at a file in a folder that cannot be read, instead of passing over.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one object of JSON.")
@computing
def build(
    model: str,
    sources: tuple[str, ...],
    output: Path,
    kind: str,
    settings: tuple[str, ...],
    passage_words: int,
    topic_prefix: bool,
    lexical: bool,
    shards: str | None,
    force: bool,
    exclude: tuple[str, ...],
    strict: bool,
    as_json: bool,
    revision: str | None,
    **computing: Any,
) -> None:
    """Build an index of passages from files and folders.

    A .txt or .md file is cut into passages at paragraphs, sentences and lines; the topic of a passage is the path of
    Markdown headings above it, else the name of the file. A .jsonl file has one object a line with "text" and, if you
    like, "topic" (or "title") and "id"; other texts, numbers, true and false in it are metadata. Everything is UTF-8. A
    file in a folder that cannot be read is passed over and told at the end; one that SOURCE names is an error.

    When FOLDER holds an index of the same passages, made with the same model and options, nothing is done. A build that
    was interrupted goes on where it was when it is started again.
    """
    chosen = pairs(settings)
    part = None if shards is None else _shard(shards, kind)

    from tfx_retrieval.embedding import model_identity
    from tfx_retrieval.folder import check_lexical, check_replaceable, kept_options
    from tfx_retrieval.manifest import Manifest
    from tfx_retrieval.search import is_current
    from tfx_retrieval.sources import Collection, survey

    check_replaceable(output)
    options = kept_options(kind, chosen)
    collection = Collection(sources, words=passage_words, exclude=exclude, strict=strict)
    found = whole = surveyed(collection, sources)
    if part is not None:
        found = survey(part.of_passages(collection, whole.count))
    encoder = loaded_encoder(model, revision, **computing)
    wanted = Manifest(
        kind=kind,
        count=found.count,
        dimension=encoder.dimension,
        passages=found.digest,
        topic_prefix=topic_prefix,
        model=model_identity(model, revision),
        probed=True,
        options=options,
        lexical=lexical,
        shard="" if part is None else f"{part} {whole.digest}",
    )
    check_lexical(wanted)
    current = not force and is_current(output, wanted, encoder)
    passages = collection if part is None else part.of_passages(collection, whole.count)
    cut = 0 if current else _embed(passages, encoder, output, wanted)
    if cut:
        say(f"{cut} passages were cut to the {encoder.limit} tokens that the model reads", error=True)
    report_unread(collection)
    if as_json:
        unread = [{"file": str(path), "reason": reason} for path, reason in collection.unread.items()]
        done = {"index": str(output), "built": not current, "passages": found.count, "cut": cut, "unread": unread}
        click.echo(json_text(done))
    else:
        say(f"{output}: {'up to date' if current else 'built'}, {found.count} passages")


def surveyed(collection: "Collection", sources: Sequence[str]) -> "Survey":
    """Read all passages once; raises `InputError` where there are none."""
    from tfx_core.cli import ProgressBar
    from tfx_retrieval.sources import survey

    with ProgressBar("reading") as bar:
        found = survey(noted(collection, lambda passage: bar.advance()))
    if found.count == 0:
        report_unread(collection)
        raise InputError(f"{', '.join(sources)}: no text in it")
    _report_skipped(collection)
    return found


def _shard(text: str, kind: str) -> "Shard":
    from tfx_retrieval.shards import Shard

    if kind != "flat":
        raise click.UsageError(f"--shards and --index {kind}: a shard keeps its vectors whole; give --index to merge")
    return Shard.parsed(text)


def _embed(passages: "Iterable[Passage]", encoder: "MeasuringEncoder", output: Path, wanted: "Manifest") -> int:
    """Build the index; gives the number of passages that were cut."""
    from tfx_core.cli import ProgressBar
    from tfx_retrieval.search import build_index

    counted = CutPassages(encoder, topic_prefix=wanted.topic_prefix)
    total = wanted.count
    with resumable(output), ProgressBar("embedding", total) as bar, ProgressBar("indexing", total) as indexing:
        build_index(
            noted(passages, counted.measure),
            encoder,
            output,
            kind=wanted.kind,
            options=wanted.options,
            topic_prefix=wanted.topic_prefix,
            lexical=wanted.lexical,
            model=wanted.model,
            shard=wanted.shard,
            progress=bar.advance,
            indexing=indexing.advance,
        )
    return counted.number


class CutPassages:
    """Counts the passages of which the model reads the beginning only."""

    def __init__(self, encoder: "MeasuringEncoder", *, topic_prefix: bool) -> None:
        self._encoder = encoder
        self._topic_prefix = topic_prefix
        self.number = 0

    def measure(self, passage: "Passage") -> None:
        """Look at one more."""
        from tfx_retrieval.embedding import embedding_text

        self.number += self._encoder.cuts(embedding_text(passage, topic_prefix=self._topic_prefix))


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Say what an interrupted build left, before the block and where the block is interrupted."""
    from tfx_retrieval.spool import left_beside, place_beside

    if found := left_beside(folder):
        say(f"{found} passages are embedded; what is the same goes into the index", error=True)
    try:
        yield
    except BaseException:
        if left := left_beside(folder):
            say(f"{left} embedded passages are kept in {place_beside(folder)}; the same command goes on", error=True)
        raise


@index.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("question", nargs=-1)
@click.option("--model", "-m", metavar="MODEL", help="Folder or hub id of the encoder. [default: the index's own]")
@click.option("--top-k", "-k", type=click.IntRange(1), default=5, show_default=True, help="Passages for each question.")
@click.option(
    "--file",
    "-f",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Read the questions from FILE, or from standard input for -, one on each line.",
)
@searching
@click.option(
    "--where",
    "-w",
    "conditions",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Find only passages with this metadata; also FIELD>=VALUE, >, <=, <. Repeatable; = twice is either.",
)
@click.option("--at-least", type=float, metavar="SCORE", help="Find only passages with such a score.")
@click.option("--table", is_flag=True, help="Print a table, as on a terminal.")
@click.option("--tsv", is_flag=True, help="Print question, rank, score, topic and passage with tabs.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each question.")
@click.option("--header", is_flag=True, help="Print the names of the values above lines with tabs.")
@click.option("--lines", type=click.IntRange(0), help="Lines of a passage in a table; 0 for all. [default: 4]")
@computing
def search(
    folder: Path,
    question: tuple[str, ...],
    model: str | None,
    top_k: int,
    file: str | None,
    hybrid: bool,
    lexical_only: bool,
    diverse: float | None,
    conditions: tuple[str, ...],
    at_least: float | None,
    table: bool,
    tsv: bool,
    as_json: bool,
    header: bool,
    lines: int | None,
    revision: str | None,
    **computing: Any,
) -> None:
    """Find the passages of the index in FOLDER that answer each QUESTION."""
    asked_for = {"--table": table, "--tsv": tsv, "--json": as_json, "--header": header, "--lines": lines is not None}
    form = _form([name for name, given in asked_for.items() if given])
    way = way_of(hybrid=hybrid, lexical_only=lexical_only) or VECTORS
    questions = _questions(question, file)

    from tfx_core.cli import ProgressBar
    from tfx_retrieval.where import parsed_where

    by_vectors = way != WORDS
    opened = opened_for(folder, model, revision, by_vectors=by_vectors, **computing)
    search = search_by(way, opened, diverse)
    where = parsed_where(conditions, getattr(opened.index, "fields", {}))
    least = -math.inf if at_least is None else at_least
    show = _printer(form, 4 if lines is None else lines, header=header)
    with ProgressBar("searching", len(questions)) as bar:
        for start in range(0, len(questions), _QUESTIONS):
            asked = questions[start : start + _QUESTIONS]
            found = search.search(asked, top_k, where=where)
            bar.advance(len(asked))
            bar.hide()
            for one, hits in zip(asked, found, strict=True):
                show(one, [hit for hit in hits if hit.score >= least])


def opened_for(
    folder: Path,
    model: str | None,
    revision: str | None,
    *,
    by_vectors: bool,
    **computing: Any,
) -> "SearchIndex":
    """The index in a folder, with the model to search it ``by_vectors``."""
    from tfx_retrieval.search import open_index

    if not by_vectors:
        return open_index(folder)
    return opened_with_encoder(folder, model, revision, **computing)[1]


def opened_with_encoder(
    folder: Path,
    model: str | None,
    revision: str | None,
    **computing: Any,
) -> "tuple[MeasuringEncoder, SearchIndex]":
    """The encoder that the options of a command ask for, else the index's own, and the index in a folder with it."""
    from tfx_retrieval.embedding import model_identity
    from tfx_retrieval.search import open_index

    model, revision = model_of(folder, model, revision)
    encoder = loaded_encoder(model, revision, **computing)
    return encoder, open_index(folder, encoder, model=model_identity(model, revision))


def _form(given: Sequence[str]) -> str:
    """What to print as; `click.UsageError` for two of these options that contradict each other."""
    allowed = ({"--table", "--lines"}, {"--tsv", "--header"})
    for first, second in combinations(given, 2):
        if not any({first, second} <= both for both in allowed):
            raise click.UsageError(f"{first} and {second} contradict each other; give one of them")
    if "--json" in given:
        return "json"
    if "--table" in given or (sys.stdout.isatty() and not {"--tsv", "--header"} & {*given}):
        return "table"
    return "tsv"


def model_of(folder: Path, model: str | None, revision: str | None) -> tuple[str, str | None]:
    """The model to search with and its revision: what was given, else what the index was made with."""
    from tfx_retrieval.folder import maker_of, manifest_of

    if model is not None:
        manifest_of(folder)  # says what is wrong with a folder before the model is loaded
        return model, revision
    own = maker_of(folder, "--model")
    return own.name, revision or own.revision


def _printer(form: str, lines: int, *, header: bool) -> "Callable[[str, Sequence[Hit]], None]":
    """What prints the passages that a question found; tables are parted by a blank line."""
    from tfx_retrieval import results

    if header:
        click.echo("\t".join(results.HEADER))
    width = table_width() or _PIPE_WIDTH
    parting: list[str] = []

    def show(question: str, hits: "Sequence[Hit]") -> None:
        if form == "json":
            click.echo(results.as_json(question, hits))
        elif form == "tsv":
            click.echo("\n".join(results.as_tabs(question, hits)))
        else:
            click.echo("\n".join([*parting, *results.as_table(question, hits, width=width, lines=lines)]))
            parting[:] = [""]

    return show


def loaded_encoder(
    model: str, revision: str | None, batch_tokens: int | None = None, **loading: Any
) -> "MeasuringEncoder":
    """The encoder that the options of a command ask for."""
    from tfx_retrieval.pairs import load_pair

    question_model = click.get_current_context().meta.get(_QUESTION_MODEL)
    return load_pair(model, question_model, batch_tokens=batch_tokens, **given({"revision": revision, **loading}))


def noted(passages: "Iterable[Passage]", note: "Callable[[Passage], None]") -> "Iterator[Passage]":
    """The passages, each of which is noted as it passes."""
    for passage in passages:
        note(passage)
        yield passage


def report_unread(collection: "Collection") -> None:
    """Name the files of folders that could not be read."""
    if not collection.unread:
        return
    say(f"passed over {len(collection.unread)} files that cannot be read:", error=True)
    for path, reason in list(collection.unread.items())[:_LISTED]:
        say("  " + in_one_line(f"{path}: {reason}", 500), error=True)
    if len(collection.unread) > _LISTED:
        say(f"  and {len(collection.unread) - _LISTED} more, which --json lists", error=True)


def _report_skipped(collection: "Collection") -> None:
    if collection.skipped:
        kinds = sorted({path.suffix or path.name for path in collection.skipped})
        shown = ", ".join(kinds[:5]) + (", …" if len(kinds) > 5 else "")
        say(in_one_line(f"passed over {len(collection.skipped)} files of other kinds ({shown})"), error=True)


def pairs(settings: Sequence[str]) -> dict[str, str]:
    """The options of a kind of index; `click.UsageError` for what is none."""
    options: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not (key and equals) or key in options:
            raise click.UsageError(f"--index-option {setting!r}: give KEY=VALUE, each key once")
        options[key] = value
    return options


def _questions(given: Sequence[str], file: str | None) -> list[str]:
    if given and file is not None:
        raise click.UsageError("give either QUESTION or --file, not both")
    if given:
        questions = list(given)
    else:
        if file is None and sys.stdin.isatty():
            raise click.UsageError("nothing to search for: give QUESTION, --file or a pipe (or --file - to type it in)")
        label = "standard input" if file is None or file == "-" else file
        data = sys.stdin.buffer.read() if file is None or file == "-" else Path(file).read_bytes()
        try:
            questions = [line for line in data.decode("utf-8-sig").splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            raise InputError(f"{label}: byte {error.start} (0x{data[error.start]:02x}) is not UTF-8") from error
    if not all(question.strip() for question in questions) or not questions:
        raise click.UsageError("an empty question; give some words to search for")
    return questions
