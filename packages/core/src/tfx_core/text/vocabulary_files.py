"""Readers of vocabulary files that are text: an object of token -> id, pairs to join, a token a line."""

import re
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from tfx_core.errors import CheckpointError, TextError, shown
from tfx_core.text.bounds import check_pieces
from tfx_core.text.sentencepiece_model import looks_like_sentencepiece

if TYPE_CHECKING:
    from tfx_core.checkpoint import Folder

_BETWEEN_COLUMNS = re.compile(r"[ \t\r]+")


def read_vocabulary_object(folder: "Folder", name: str) -> dict[str, int]:
    """Token -> id from a JSON file, in which ids run from 0 without a gap; raises `TextError` for anything else."""
    label = f"{folder.label}/{name}"
    try:
        folder.require(name)
        vocabulary = folder.json(name) or {}
    except CheckpointError as error:
        raise TextError(f"{error}; a vocabulary is an object of token -> id") from error
    check_pieces(vocabulary, label)
    tokens: dict[int, str] = {}
    for token, number in vocabulary.items():
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise TextError(f"{label}: the id of {shown(token)} is {shown(number)}; it must be a whole number")
        if number in tokens:
            first = shown(tokens[number])
            raise TextError(f"{label}: {first} and {shown(token)} have the same id {shown(number)}; ids must differ")
        tokens[number] = token
    if not tokens:
        raise TextError(f"{label}: it is empty; a vocabulary is an object of token -> id")
    gap = next((number for number in range(len(tokens)) if number not in tokens), None)
    if gap is not None:
        raise TextError(
            f"{label}: no token has the id {gap}, but {shown(tokens[max(tokens)])} has {shown(max(tokens))}; the file "
            "is damaged or of another model; fetch it again"
        )
    return vocabulary


def read_merges(data: bytes, vocabulary: Container[str], label: str) -> list[tuple[str, str]]:
    """The pairs of tokens that are joined, the first first: a line each, behind a line ``#version``.

    Raises `TextError` with the number of a line that is no pair, or whose tokens the vocabulary lacks.
    """
    merges = []
    for number, columns in _lines_of_merges(data, label, most=2):
        for token in (*columns, "".join(columns)):
            if token not in vocabulary:
                raise TextError(
                    f"{label}, line {number}: joins {shown(columns[0])} and {shown(columns[1])}, but the vocabulary "
                    f"lacks {shown(token)}; the two files are of different models"
                )
        merges.append((columns[0], columns[1]))
    return merges


def read_counted_merges(data: bytes, label: str) -> list[tuple[str, str]]:
    """Pairs as `read_merges` gives them, of a file with or without a third column: how often each was joined.

    Raises `TextError` with the number of a line that is no pair.
    """
    merges = [(columns[0], columns[1]) for _, columns in _lines_of_merges(data, label, most=3)]
    check_pieces([piece for pair in merges for piece in pair], label)
    return merges


def _lines_of_merges(data: bytes, label: str, most: int) -> Iterator[tuple[int, list[str]]]:
    """Number and columns, from two to ``most``, of each line that is neither blank nor the version.

    Other blanks than the usual ones are letters of a token: U+00A0 in the merges of CTRL.
    """
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise TextError(f"{label}: byte {error.start} is not UTF-8; fetch the file again") from error
    if not data.strip():
        raise TextError(f"{label}: is empty; it must hold a pair of tokens a line; fetch the file again")
    for number, line in enumerate(lines, start=1):
        columns = [column for column in _BETWEEN_COLUMNS.split(line) if column]
        if not columns or (number == 1 and line.startswith("#version")):
            continue
        if not 2 <= len(columns) <= most:
            raise TextError(f"{label}, line {number}: {line[:80]!r} is no pair of tokens; fetch the file again")
        yield number, columns


def read_vocabulary_lines(data: bytes, label: str) -> dict[str, int]:
    """Token -> id, the number of its line; raises `TextError` for what is no list of tokens.

    Of a token that comes twice the last line counts, as in the original; the earlier one keeps its id under a name with
    a blank, which no word has. Lines end with LF or CR LF; blank lines at the end are no tokens.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cure = "save the file as UTF-8, a token a line"
        if looks_like_sentencepiece(data):
            cure = (
                "it is a SentencePiece model, and no vocabulary of a token a line; fetch the file of this kind of model"
            )
        raise TextError(f"{label}: byte {error.start} is not UTF-8; {cure}") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    if lines == [""]:
        raise TextError(f"{label}: is empty; it must hold a token a line")
    check_pieces(lines, label)
    last = {token: number for number, token in enumerate(lines)}
    vocabulary = {}
    for number, token in enumerate(lines):
        again = last[token]
        vocabulary[token if again == number else f"{token} (line {number + 1}, again line {again + 1})"] = number
    return vocabulary
