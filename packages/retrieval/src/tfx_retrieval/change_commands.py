"""``tfx-core index add``, ``delete``, ``replace``, ``compact``, ``merge`` and ``info``: an index after it was built."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tfx_core.cli import OutputPath, ProgressBar, json_text, say
from tfx_core.errors import InputError
from tfx_retrieval.commands import (
    CutPassages,
    computing,
    index,
    noted,
    opened_for,
    opened_with_encoder,
    pairs,
    report_unread,
    resumable,
    surveyed,
)

__all__ = ["index"]

if TYPE_CHECKING:
    pass

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.argument("folder", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print what was done as one object of JSON.")
_MODEL = click.option("--model", "-m", metavar="MODEL", help="Folder or hub id of the encoder. [default: its own]")


def _reading(command: Command) -> Command:
    """Add the options that say which passages are read."""
    for option in (
        click.option(
            "--source", "-s", "sources", required=True, multiple=True, metavar="SOURCE", help="As of build. Repeatable."
        ),
        click.option("--passage-words", type=click.IntRange(0), default=120, show_default=True, metavar="N"),
        click.option("--exclude", multiple=True, metavar="GLOB", help="What to pass over in a folder. Repeatable."),
        click.option("--strict", is_flag=True, help="Stop at a file in a folder that cannot be read."),
    ):
        command = option(command)
    return command


@index.command()
@_FOLDER
@_MODEL
@_JSON
@_reading
@computing
def add(folder: Path, as_json: bool, **options: Any) -> None:
    """Add the passages of files and folders to the index in FOLDER.

    An id that is there already is an error: replace those. One process changes an index at a time; a search that is
    under way goes on with what it opened.
    """
    _embedded(folder, as_json, "added", lambda opened, passages, tell: opened.add(passages, progress=tell), **options)


@index.command()
@_FOLDER
@_MODEL
@_JSON
@_reading
@computing
def replace(folder: Path, as_json: bool, **options: Any) -> None:
    """Put the passages of files and folders in the place of those of the same documents in FOLDER.

    All pieces of a document go, and those that it is cut into now come. A document that is not there is an error.
    """
    _embedded(
        folder,
        as_json,
        "replaced",
        lambda opened, passages, tell: opened.replace(passages, documents=True, progress=tell),
        **options,
    )


def _embedded(
    folder: Path,
    as_json: bool,
    done: str,
    change: Callable[..., int],
    *,
    model: str | None,
    revision: str | None,
    sources: tuple[str, ...],
    passage_words: int,
    exclude: tuple[str, ...],
    strict: bool,
    **computing: Any,
) -> None:
    """Change an index by the passages of sources, and say so."""
    from tfx_retrieval.sources import Collection

    collection = Collection(sources, words=passage_words, exclude=exclude, strict=strict)
    found = surveyed(collection, sources)
    encoder, opened = opened_with_encoder(folder, model, revision, **computing)
    counted = CutPassages(encoder, topic_prefix=opened.manifest.topic_prefix)
    with resumable(folder), ProgressBar("embedding", found.count) as bar:
        number = change(opened, noted(collection, counted.measure), bar.advance)
    if counted.number:
        say(f"{counted.number} passages were cut to the {encoder.limit} tokens that the model reads", error=True)
    report_unread(collection)
    _tell(folder, as_json, done, number, len(opened))


def _tell(folder: Path, as_json: bool, done: str, number: int, count: int) -> None:
    if as_json:
        click.echo(json_text({"index": str(folder), done: number, "passages": count}))
    else:
        say(f"{folder}: {done} {number}, {count} passages")


@index.command()
@_FOLDER
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--file", "-f", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Ids, one a line.")
@_JSON
def delete(folder: Path, ids: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Delete the passages of these ids from the index in FOLDER; of a document that was cut, all pieces."""
    from tfx_retrieval.search import open_index

    names = [*ids, *(_lines(file) if file is not None else [])]
    if not names:
        raise click.UsageError("nothing to delete: give the ids of passages, or --file")
    opened = open_index(folder)
    number = opened.delete(names, documents=True)
    _tell(folder, as_json, "deleted", number, len(opened))


def _lines(file: Path) -> Sequence[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: byte {error.start} is not UTF-8") from error


@index.command()
@_FOLDER
@_MODEL
@_JSON
@computing
def compact(folder: Path, model: str | None, revision: str | None, as_json: bool, **computing: Any) -> None:
    """Write the index in FOLDER anew, without what was deleted and as one build would.

    Only kinds of index that compress the vectors need the model, and embed the passages again.
    """
    from tfx_retrieval.changing import keeps_vectors
    from tfx_retrieval.folder import manifest_of

    by_vectors = not keeps_vectors(manifest_of(folder))
    opened = opened_for(folder, model, revision, by_vectors=by_vectors, **computing)
    gone = opened.manifest.deleted
    with resumable(folder), ProgressBar("embedding", len(opened)) as bar:
        opened.compact(progress=bar.advance)
    _tell(folder, as_json, "compacted away", gone, len(opened))


@index.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@click.option("--output", "-o", required=True, type=OutputPath(path_type=Path), metavar="FOLDER")
@click.option("--index", "kind", default="flat", show_default=True, metavar="NAME", help="Kind of index to make.")
@click.option("--index-option", "settings", multiple=True, metavar="KEY=VALUE", help="Option of that kind. Repeatable.")
@_JSON
def merge(folders: tuple[Path, ...], output: Path, kind: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Put shards, or any indexes of one model, together into one index; nothing is embedded again."""
    from tfx_retrieval.folder import manifest_of
    from tfx_retrieval.shards import merge_indexes

    total = sum(manifest_of(folder).count for folder in folders)
    with ProgressBar("merging", total) as bar:
        count = merge_indexes(folders, output, kind=kind, options=pairs(settings), progress=bar.advance)
    _tell(output, as_json, "merged", len(folders), count)


@index.command()
@_FOLDER
@_JSON
def info(folder: Path, as_json: bool) -> None:
    """Say what the index in FOLDER holds: passages, model, kind, files, fields of the metadata."""
    from tfx_retrieval.search import open_index
    from tfx_retrieval.spool import left_beside

    opened = open_index(folder)
    manifest = opened.manifest
    fields = {name: sorted(types) for name, types in sorted(getattr(opened.index, "fields", {}).items())}
    told = {
        "kind": manifest.kind,
        "options": dict(manifest.options),
        "passages": len(opened),
        "deleted": manifest.deleted,
        "segments": list(manifest.segments),
        "dimension": manifest.dimension,
        "model": str(manifest.model) if manifest.model else None,
        "topic_prefix": manifest.topic_prefix,
        "shard": manifest.shard.partition(" ")[0] or None,
        "bytes": sum(record.size for record in manifest.files.values()),
        "fields": fields,
        "embedded_by_an_interrupted_build": left_beside(folder),
    }
    if as_json:
        click.echo(json_text(told))
        return
    for name, value in told.items():
        if value not in (None, {}) and (value or name == "topic_prefix"):
            say(f"{name.replace('_', ' ')}: {_said(value)}")


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key} ({each if isinstance(each, str) else ' or '.join(each)})" for key, each in value.items()
        )
    if isinstance(value, list):
        return " + ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
