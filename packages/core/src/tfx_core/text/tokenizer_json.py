"""Reading ``tokenizer.json``, the file of the `tokenizers` library, as far as the library leaves things unchecked."""

import json
import re
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tfx_core.errors import TextError
from tfx_core.text.bounds import LONGEST_ADDED_TOKEN, check_piece
from tfx_core.text.guard import guarded

CURE = "copy the file again, or remove it where the folder has the files that it was made from"

_NO_TOKEN = re.compile(rb'"(?:Regex|precompiled_charsmap)"\s*:\s*$')
"""What stands before strings that are long in good files, and no tokens."""


def read_tokenizer_json(data: bytes, label: str) -> Tokenizer:
    """The tokenizer in the contents of a ``tokenizer.json``; raises `TextError` that names ``label`` and a cure."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(f"{label}: byte {error.start} is not UTF-8; {CURE}") from error
    if _has_long_string(data):
        _check_tokens(text, label)
    with guarded(label, CURE):
        return Tokenizer.from_str(text)


def _has_long_string(data: bytes) -> bool:
    """Whether a string that may be a token is longer than the shorter bound.

    To parse a large file takes more than half of the time that the library needs for it, to look for its quotation
    marks next to none.
    """
    unescaped = data.replace(rb"\\", b"__").replace(rb"\"", b"__")
    marks = np.flatnonzero(np.frombuffer(unescaped, np.uint8) == ord('"'))
    long = marks[:-1][np.diff(marks) > LONGEST_ADDED_TOKEN + 1]
    return any(not _NO_TOKEN.search(unescaped, max(0, mark - 40), mark) for mark in long.tolist())


def _check_tokens(text: str, label: str) -> None:
    """Raise `TextError` for a token that is too long, wherever the library might read one."""

    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, value in pairs:
            check_piece(key, label)
            if key == "content" and isinstance(value, str):
                check_piece(value, label, LONGEST_ADDED_TOKEN)
            elif key in ("vocab", "merges") and isinstance(value, list):
                for item in value:
                    for piece in item if isinstance(item, list) else [item]:
                        if isinstance(piece, str):
                            check_piece(piece, f"{label}: {key}")
        return dict(pairs)

    try:
        json.loads(text, object_pairs_hook=check)
    except TextError:
        raise
    except (RecursionError, ValueError) as error:  # no JSON, nested too deep, or a number of thousands of digits
        raise TextError(f"{label}: is not usable JSON: {error}; {CURE}") from error
