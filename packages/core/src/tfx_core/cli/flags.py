"""Messages that name parameters of Python, told to those who typed options."""

import re
import shlex
from collections.abc import Mapping

import click

_VALUE = r"'[^']*'|\"[^\"]*\"|[^\s,;:()]*[^\s,;:.()]"
_TWICE = re.compile(r"(--[\w-]+(?: [\w.-]+)?) \(\1\)")


def in_flags(message: str, command: click.Command) -> str:
    """The message with a command's options in place of the names in Python: ``--top-k 0`` for ``top_k=0``."""
    options = _options(command)
    if not options:
        return message
    names = "|".join(sorted(map(re.escape, options), key=len, reverse=True))
    message = re.sub(
        rf"(?<![\w.'\"/-])({names})=({_VALUE})", lambda found: _written(options[found[1]], found[2]), message
    )
    words = rf"(?<![\w.'\"/=-])({names})(?![\w='\"(-])"  # in a sentence a name of one word is a word
    message = re.sub(words, lambda found: _flag(options[found[1]]) if "_" in found[1] else found[1], message)
    return _TWICE.sub(r"\1", message)


def _options(command: click.Command) -> Mapping[str, click.Option]:
    """Name in Python -> option."""
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {_flag(each).removeprefix("--").replace("-", "_"): each for each in options if _flag(each)}


def _flag(option: click.Option) -> str:
    return next((each for each in option.opts if each.startswith("--")), "")


def _written(option: click.Option, value: str) -> str:
    if option.is_flag:
        no = next(iter(option.secondary_opts), "")
        return (no or f"no {_flag(option)}") if value == "False" else _flag(option)
    bare = value[1:-1] if value[0] in "'\"" else value
    word = bare.lower() if value in ("True", "False", "None") else bare
    return f"{_flag(option)} {word if '…' in word else shlex.quote(word)}"
