"""Errors that tfx raises on purpose: one line that names the file, the key and the value, and what would be accepted.

The command line prints such a message without a traceback and ends with exit code 1.
What came out of a stranger's file or plugin enters a message through `shown`, a name or a text of theirs also through
`in_one_line`, an error that they raised through `described`.
"""

from itertools import islice
from typing import Any

__all__ = [
    "CheckpointError",
    "ConfigError",
    "HubError",
    "InputError",
    "PassageIndexError",
    "PluginError",
    "TextError",
    "TfxError",
    "UnknownNameError",
    "cleaned",
    "described",
    "in_one_line",
    "shown",
    "traced",
]

_LONGEST = 20_000
"""Characters of a message; what a stranger's file or plugin puts into one must not fill a terminal or a log."""

_ITEMS, _LEVELS = 4, 3
"""Of a collection within a message: how many of its items are shown, and how deep."""


def shown(value: object, limit: int = 80) -> str:
    """A value from a stranger's file or plugin for a message: one printable line of about ``limit`` characters.

    Never raises, calls no method of the value's own, and takes no longer for a huge value than for a small one.
    """
    text = _shown(value, limit, _LEVELS)
    return text if len(text) <= limit + 2 else f"{text[:limit]}…"


def cleaned(text: str, limit: int = _LONGEST) -> str:
    """Text for a terminal: without control characters but line ends (they are escaped), not longer than ``limit``."""
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} characters more)"
    if text.replace("\n", "").isprintable():
        return text
    return "".join(mark if mark == "\n" or mark.isprintable() else repr(mark)[1:-1] for mark in text)


def in_one_line(text: str, limit: int = 1_000) -> str:
    """`cleaned` text with every run of white space, line ends included, as one blank."""
    return cleaned(" ".join(text.split()), limit)


def described(error: BaseException, limit: int = 1_000) -> str:
    """The type of an error that somebody else's code raised, and its message, in one line.

    Never raises, even where the message cannot be had, but `KeyboardInterrupt`.
    """
    try:
        message = in_one_line(str.__str__(str(error)), limit)
    except KeyboardInterrupt:
        raise
    except BaseException:
        message = "its message cannot be read"
    return f"{_type_name(error)}: {message}" if message else _type_name(error)


def traced(error: BaseException) -> str:
    """The traceback of an error for a terminal; never raises, as `described`."""
    import traceback  # takes time to import, and is wanted for debugging only

    try:
        return cleaned("".join(traceback.format_exception(error)), 10 * _LONGEST)
    except KeyboardInterrupt:
        raise
    except BaseException as fault:
        return f"{described(error)}\n(no traceback: {described(fault)})\n"


def _type_name(value: object, limit: int = 80) -> str:
    name = type.__dict__["__name__"].__get__(type(value))  # what a metaclass says of itself is not asked for
    return in_one_line(name, limit)


def _shown(value: Any, limit: int, levels: int) -> str:
    # Of a subclass the methods of its base are called, never its own; nor is it asked for its __class__.
    kind = type(value)
    if kind in (bool, float, complex, type(None)):
        return repr(value)
    if issubclass(kind, int):
        bits = int.bit_length(value)
        return int.__repr__(value) if bits <= 256 else f"a number of {bits} bits"
    if issubclass(kind, str):
        return str.__repr__(str.__getitem__(value, slice(limit))) + ("…" if str.__len__(value) > limit else "")
    if issubclass(kind, bytes):
        return bytes.__repr__(bytes.__getitem__(value, slice(limit))) + ("…" if bytes.__len__(value) > limit else "")
    if type(value) in (list, tuple, dict):
        return _shown_items(value, limit, levels)
    return f"an object of type {_type_name(value, limit)}"


def _shown_items(value: list[object] | tuple[object, ...] | dict[object, object], limit: int, levels: int) -> str:
    opening, closing = "[]" if isinstance(value, list) else "()" if isinstance(value, tuple) else "{}"
    if not levels:
        return f"{opening}…{closing}" if value else opening + closing
    items = [_shown(item, limit, levels - 1) for item in islice(value, _ITEMS)]
    if isinstance(value, dict):
        values = (_shown(item, limit, levels - 1) for item in islice(value.values(), _ITEMS))
        items = [f"{key}: {item}" for key, item in zip(items, values, strict=True)]
    items += ["…"] if len(value) > _ITEMS else []
    comma = "," if type(value) is tuple and len(value) == 1 else ""
    return opening + ", ".join(items) + comma + closing


class TfxError(Exception):
    """Base of every error that tfx raises on purpose; its message is `cleaned`."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(cleaned(each) if isinstance(each, str) else each for each in args))


class ConfigError(TfxError, ValueError):
    """A configuration value, from ``config.json`` or from a keyword, that cannot be used."""


class CheckpointError(TfxError, ValueError):
    """A checkpoint folder whose files are missing, damaged, hostile or do not fit the model."""


class HubError(TfxError, OSError):
    """A model id that could not be resolved or downloaded."""


class TextError(TfxError, ValueError):
    """Tokenizer files or text that cannot be processed as asked."""


class InputError(TfxError, ValueError):
    """Arguments of a model, head, task or generation call that contradict each other or the model."""


class PassageIndexError(TfxError, ValueError):
    """A passage index folder that is missing, damaged, or made with another model."""


class PluginError(TfxError, RuntimeError):
    """A plugin that failed, clashes with another, or does not fit this tfx-core."""


class UnknownNameError(TfxError, LookupError):
    """A name (architecture, head, task, attention, index) that nothing installed provides."""
