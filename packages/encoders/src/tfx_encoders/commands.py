"""``tfx-core convert``: models made out of other models' checkpoints. Torch is imported when a command runs."""

import sys
from pathlib import Path
from typing import Any

import click

from tfx_core.cli import Group, OutputPath, ProgressBar, json_text, say
from tfx_core.errors import InputError


@click.group(cls=Group)
def convert() -> None:
    """Make a model out of another one's checkpoint."""


@convert.command()
@click.argument("source", metavar="SOURCE")
@click.argument("target", type=OutputPath(file_okay=False, path_type=Path), metavar="TARGET")
@click.option(
    "--max-positions", type=click.IntRange(1), default=4096, show_default=True, help="Longest text, in tokens."
)
@click.option(
    "--window",
    "windows",
    type=click.IntRange(2),
    multiple=True,
    default=(512,),
    show_default="512",
    help="Neighbours that a token sees, half of them to either side. Once, or once for each layer.",
)
@click.option("--head", metavar="NAME", help="Head to keep, if not the one that SOURCE was stored with.")
@click.option("--revision", metavar="REVISION", help="Branch, tag or commit of a hub id.")
@click.option("--force", is_flag=True, help="Write into a folder that has something in it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one object of JSON.")
def longformer(
    source: str,
    target: Path,
    max_positions: int,
    windows: tuple[int, ...],
    head: str | None,
    revision: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a Longformer out of a RoBERTa, XLM-RoBERTa or BERT.

    SOURCE is a folder or hub id, TARGET the folder to write. Positions are copied as often as there is room, and the
    projections of global tokens begin as copies of those of all tokens, as the authors of Longformer did it. The model
    is one to train further: texts that the window reaches over get the numbers of SOURCE, longer ones new ones.
    """
    _may_write(target, source, force)
    from tfx_encoders.longformer.conversion import convert_checkpoint

    hub: dict[str, Any] = {} if revision is None else {"revision": revision}
    window = windows[0] if len(windows) == 1 else windows
    with ProgressBar(f"longformer of {source}", 1) as bar:
        model = convert_checkpoint(source, target, max_positions=max_positions, window=window, head=head, **hub)
        bar.advance()
    done = {"model": str(target), "head": model.head_name, "max_positions": max_positions, "window": window}
    if as_json:
        click.echo(json_text(done))
    else:
        say(f"{target}: a Longformer with head {model.head_name!r} for {max_positions} tokens")


def _may_write(target: Path, source: str, force: bool) -> None:
    """Ask on a terminal before something is overwritten; raises `InputError` elsewhere, and for the source itself."""
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise InputError(f"{target}: is SOURCE itself; give another folder as TARGET")
    if force or not target.exists() or not any(target.iterdir()):
        return
    question = f"{target} has something in it; write into it?"
    if not (sys.stdin.isatty() and click.confirm(question, err=True)):
        raise InputError(f"{target}: has something in it; give an empty or new folder as TARGET, or --force")
