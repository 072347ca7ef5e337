"""``tfx-core attention``: what every head of a model attends to in a text, as a page to look at."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from tfx_core.cli.group import Command
from tfx_core.cli.loading import given, loading
from tfx_core.cli.output import OutputPath, json_text
from tfx_core.cli.progress import ProgressBar
from tfx_core.errors import InputError, TfxError

_FILE = OutputPath(beside=True, dir_okay=False, writable=True, allow_dash=True)


def _kernel(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The name of a kernel or a pattern, checked before anything is loaded."""
    from tfx_core.model import kernel_of

    try:
        if value is not None:
            kernel_of(value)
    except TfxError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    return value


@click.command(cls=Command)
@click.argument("model")
@click.argument("text")
@click.option("--html", metavar="FILE", type=_FILE, required=True, help="The page to write, or - for standard output.")
@click.option("--json", "as_json", metavar="FILE", type=_FILE, help="A file for the numbers, or - for standard output.")
@click.option("--pair", metavar="TEXT", help="A second text, which the model reads after the first one.")
@click.option(
    "--target",
    metavar="TEXT",
    help="What the decoder of an encoder-decoder reads. [default: what it writes itself, at most 24 tokens]",
)
@click.option("--src-lang", metavar="LANGUAGE", help="Language of the text, for a model of several.")
@click.option("--tgt-lang", metavar="LANGUAGE", help="Language of the target, for a model of several.")
@click.option(
    "--max-tokens", type=click.IntRange(min=1), help="Cut texts to so many tokens. [default: refuse more than 256]"
)
@click.option("--head", metavar="NAME", help="Head to load the model with. [default: the checkpoint's]")
@click.option("--attention", metavar="NAME", callback=_kernel,
              help="Attention kernel, or pattern such as window(8). [default: sdpa]")  # fmt: skip
@loading
def attention(
    model: str,
    text: str,
    html: str,
    as_json: str | None,
    head: str | None,
    revision: str | None,
    provider: str | None,
    device: str | None,
    dtype: str | None,
    frozen: bool | None,
    **asked: Any,
) -> None:
    """Write a page that shows what each head attends to.

    MODEL is a folder or hub id, TEXT what it reads, or - for standard input. The page has everything in it and loads
    nothing: open it in a browser.
    """
    if html == as_json == "-":
        raise click.UsageError("--html - and --json - both want standard output; give one of them a file")
    if as_json is not None and os.path.realpath(html) == os.path.realpath(as_json):
        raise click.UsageError(f"--html and --json both want {html}; give one of them another file")
    if text == "-":
        text = _from_stdin()
    from tfx_core.attention import attention_maps, attention_page
    from tfx_core.model import load_model, load_tokenizer

    of_both = given({"revision": revision, "provider": provider})
    tokenizer = load_tokenizer(model, **of_both)
    loaded = load_model(model, **of_both, **given({"head": head, "device": device, "dtype": dtype, "frozen": frozen}))
    with ProgressBar("Layers computed") as bar:
        maps = attention_maps(loaded, tokenizer, text, progress=bar.advance, **asked)
    _write(attention_page(maps), html)
    if as_json is not None:
        _write(f"{json_text(maps.to_dict())}\n", as_json)


def _from_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode().strip()
    except UnicodeDecodeError as error:
        raise InputError(f"standard input: is not UTF-8: {error}") from None


def _write(text: str, file: str) -> None:
    """Into a file, which is replaced when all is written, or to standard output, as UTF-8."""
    if file == "-":
        click.echo(text, nl=False)
        return
    from tfx_core.checkpoint import replacing

    with replacing(Path(file)) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
