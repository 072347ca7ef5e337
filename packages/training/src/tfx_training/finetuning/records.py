"""Labelled rows from a user's files, each of which knows the line that it stands on.

``.jsonl`` and ``.ndjson`` hold an object a line, ``.json`` a list of them or the lists of SQuAD's release, ``.csv`` and
``.tsv`` (whose quotes are part of the text, as in GLUE's files) a header and a row a line, ``.conll`` a word and its
label a line with a blank line between sentences. All are UTF-8.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tfx_core.errors import InputError, shown
from tfx_training.corpus.reading import lines_of


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file."""

    values: Mapping[str, object]
    """Name of a column -> what the row has there."""

    where: str
    """What errors call it: ``train.csv, line 3``."""

    def text(self, column: str) -> str:
        """The text in a column; raises `InputError` for anything else."""
        value = self.values.get(column)
        if not isinstance(value, str):
            raise InputError(f"{self.where}: {column!r} is {self.shown(column)}; it must be a text")
        return value

    def shown(self, column: str) -> str:
        """What a message shows of a column."""
        return shown(self.values[column]) if column in self.values else "missing"

    def error(self, column: str, reason: str) -> InputError:
        """For a value that cannot be used."""
        return InputError(f"{self.where}: {column!r} is {self.shown(column)}; {reason}")


def read_records(path: str | Path) -> list[Record]:
    """All rows of a file; raises `InputError` that names file and line for one that cannot be read, or has no row."""
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: not one of the files that are read, {', '.join(_READERS)}")
    records = list(reader("".join(line for _, line in lines_of(path)), path))
    if not records:
        raise InputError(f"{path}: there are no rows in it")
    return records


def _json_lines(text: str, path: Path) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _record(_parsed(line, path, number), f"{path}, line {number}")


def _json(text: str, path: Path) -> Iterator[Record]:
    """A list, a list under ``data``, or what is no one value: lines."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from _json_lines(text, path)
        return
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    rows = value if isinstance(value, list) else [value]
    for number, row in enumerate(rows, 1):
        yield from _paragraphs(row, f"{path}, row {number}")


def _paragraphs(row: object, where: str) -> Iterator[Record]:
    """The questions of an article of SQuAD's release (Rajpurkar et al. 2016); of anything else the row itself."""
    if not isinstance(row, dict) or "paragraphs" not in row:
        yield _record(row, where)
        return
    for place, paragraph in enumerate(_listed(row, "paragraphs", where)):
        here = f"{where}: paragraphs[{place}]"
        shared = _record(paragraph, here).values
        for question in _listed(shared, "qas", here):
            of_question = _record(question, f"{here}: qas").values
            context = {name: value for name, value in shared.items() if name == "context"}
            yield Record({**context, **of_question}, f"{where}, question {of_question.get('id')}")


def _listed(values: Mapping[str, object], name: str, where: str) -> list[object]:
    found = values.get(name)
    if not isinstance(found, list):
        raise InputError(f"{where}: {name} is {shown(found) if name in values else 'missing'}; it must be a list")
    return found


def _table(delimiter: str, quoting: Literal[0, 3]) -> Callable[[str, Path], Iterator[Record]]:
    def read(text: str, path: Path) -> Iterator[Record]:
        lines = _lines_of_table(text, path, delimiter, quoting)
        _, header = next(lines, (1, []))
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise InputError(f"{path}, line 1: two columns are called {twice[0]!r}; give each a name of its own")
        for number, row in lines:
            if row and len(row) != len(header):
                raise InputError(
                    f"{path}, line {number}: {len(row)} values under the {len(header)} columns of the header"
                )
            if row:
                yield Record(dict(zip(header, row, strict=True)), f"{path}, line {number}")

    return read


def _lines_of_table(text: str, path: Path, delimiter: str, quoting: Literal[0, 3]) -> Iterator[tuple[int, list[str]]]:
    """The number of the line that each row begins on, and its values."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)
    while True:
        number = lines.line_num + 1
        try:
            row = next(lines, None)
        except csv.Error as error:
            cure = "; texts this long can stand in a .jsonl file" if "limit" in str(error) else ""
            raise InputError(f"{path}, line {number}: {error}{cure}") from None
        if row is None:
            return
        yield number, row


def _conll(text: str, path: Path) -> Iterator[Record]:
    words: list[str] = []
    labels: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        columns = line.split()
        if not columns or columns[0] == "-DOCSTART-":
            if words:
                yield Record({"tokens": words, "tags": labels}, f"{path}, line {number - len(words)}")
                words, labels = [], []
        elif len(columns) == 1:
            raise InputError(f"{path}, line {number}: {shown(line)}: a word needs its label behind it")
        else:
            words.append(columns[0])
            labels.append(columns[-1])


def _parsed(line: str, path: Path, number: int) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {number}: not JSON: {error}") from None


def _record(value: object, where: str) -> Record:
    if not isinstance(value, dict):
        raise InputError(f'{where}: {shown(value)} is no object such as {{"text": …, "label": …}}')
    return Record(value, where)


_READERS: Mapping[str, Callable[[str, Path], Iterator[Record]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _table(",", csv.QUOTE_MINIMAL),
    ".tsv": _table("\t", csv.QUOTE_NONE),
    ".conll": _conll,
}


@dataclass(frozen=True)
class Column:
    """What a row must have, and how such columns are often called."""

    name: str
    often: Sequence[str]
    required: bool = True


def columns_of(records: Sequence[Record], wanted: Sequence[Column], given: Mapping[str, str]) -> dict[str, str]:
    """What is wanted -> the name of its column: the one given, else the first that is there of those often used.

    Raises `InputError` that lists the columns where one is missing.
    """
    there = list(dict.fromkeys(name for record in records for name in record.values))
    listed = f"{records[0].where} and so on have {', '.join(map(repr, there))}"
    names = {column.name for column in wanted}
    if unknown := sorted(given.keys() - names):
        raise InputError(f"column {unknown[0]}={given[unknown[0]]}: the rows of this task have {', '.join(names)}")
    found = {}
    for column in wanted:
        own = given.get(column.name)
        if own is not None and own not in there:
            raise InputError(f"column {column.name}={own}: there is none; {listed}")
        name = own or next((each for each in column.often if each in there), None)
        if name is not None:
            found[column.name] = name
        elif column.required:
            raise InputError(f"no column for the {column.name}: {listed}; say which: --column {column.name}=NAME")
    return found
