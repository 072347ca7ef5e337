"""Labelled rows are read as users have them, and what cannot be read is told with its place and the cure."""

import json
from pathlib import Path

import pytest

from tfx_core.errors import InputError
from tfx_training.finetuning.records import Column, columns_of, read_records

COLUMNS = (Column("text", ("text", "sentence")), Column("pair", ("sentence2",), required=False))


def file(folder: Path, name: str, contents: str | bytes) -> Path:
    (folder / name).write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return folder / name


def values(path: Path) -> list[dict[str, object]]:
    return [dict(record.values) for record in read_records(path)]


def test_lines_of_json(tmp_path: Path) -> None:
    path = file(tmp_path, "a.jsonl", '{"text": "one\u2028", "label": 1}\n\n{"text": "two", "label": 0}\n')
    assert values(path) == [{"text": "one\u2028", "label": 1}, {"text": "two", "label": 0}]
    assert [record.where for record in read_records(path)] == [f"{path}, line 1", f"{path}, line 3"]


def test_a_list_of_json(tmp_path: Path) -> None:
    rows = [{"text": "one"}, {"text": "two"}]
    assert values(file(tmp_path, "a.json", json.dumps(rows))) == rows
    assert values(file(tmp_path, "b.json", json.dumps({"version": 1, "data": rows}))) == rows
    assert values(file(tmp_path, "c.json", "\n".join(map(json.dumps, rows)))) == rows


def test_the_lists_of_squad(tmp_path: Path) -> None:
    asked = {"id": "7", "question": "who?", "answers": [{"text": "he", "answer_start": 0}]}
    article = {"title": "t", "paragraphs": [{"context": "he is", "qas": [asked]}]}
    (record,) = read_records(file(tmp_path, "a.json", json.dumps({"data": [article]})))
    assert record.values == {"context": "he is", **asked}
    assert record.where.endswith("row 1, question 7")


def test_tables(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", 'text,label\r\n"one, ""two""\r\nthree",x\r\nfour,y\r\n')
    assert values(path) == [{"text": 'one, "two"\r\nthree', "label": "x"}, {"text": "four", "label": "y"}]
    assert [record.where for record in read_records(path)] == [f"{path}, line 2", f"{path}, line 4"]
    assert values(file(tmp_path, "a.tsv", 'text\tlabel\n"one\tx\n')) == [{"text": '"one', "label": "x"}]


def test_words_and_their_labels(tmp_path: Path) -> None:
    path = file(tmp_path, "a.conll", "-DOCSTART- -X- O\n\nEU NNP B-ORG\nsays VBZ O\n\nno DT O\n")
    assert values(path) == [{"tokens": ["EU", "says"], "tags": ["B-ORG", "O"]}, {"tokens": ["no"], "tags": ["O"]}]
    assert read_records(path)[1].where == f"{path}, line 6"
    assert values(file(tmp_path, "b.conll", "EU\u2028 B-ORG\n")) == [{"tokens": ["EU"], "tags": ["B-ORG"]}]


@pytest.mark.parametrize(
    ("name", "contents", "told"),
    [
        ("a.txt", "text", "not one of the files that are read, .jsonl"),
        ("a.jsonl", "", "there are no rows in it"),
        ("a.jsonl", '{"text": "one"}\n{"text": ', "a.jsonl, line 2: not JSON"),
        ("a.jsonl", '{"text": "one"}\n["two"]', "a.jsonl, line 2: ['two'] is no object"),
        ("a.json", '[{"text": "one"}, 2]', "a.json, row 2: 2 is no object"),
        ("a.csv", "text,label\none,x\ntwo\n", "a.csv, line 3: 1 values under the 2 columns"),
        ("a.csv", 'text,label\none,x\n"two', "a.csv, line 3: unexpected end of data"),
        ("a.csv", "text,label\n", "there are no rows in it"),
        ("a.csv", '"text"s,label\none,x\n', "a.csv, line 1: ',' expected after"),
        ("a.csv", "text,text,label\none,two,x\n", "a.csv, line 1: two columns are called 'text'"),
        ("a.csv", f"text\n{'long' * 50_000}\n", "a.csv, line 2: field larger than field limit (131072); texts this"),
        ("a.json", "[" * 100_000, "a.json, line 1: not JSON: maximum recursion depth"),
        ("a.json", '[{"paragraphs": 5}]', "a.json, row 1: paragraphs is 5; it must be a list"),
        ("a.json", '[{"paragraphs": [{"context": "a"}]}]', "a.json, row 1: paragraphs[0]: qas is missing; it must be"),
        ("a.json", '[{"paragraphs": [{"qas": ["x"]}]}]', "a.json, row 1: paragraphs[0]: qas: 'x' is no object"),
        ("a.conll", "EU B-ORG\nsays\n", "a.conll, line 2: 'says': a word needs its label"),
        ("a.csv", b"text\none\n\xe4\n", "a.csv, line 3: not UTF-8 (byte 0xe4 at place 0); convert the file"),
        ("missing/a.csv", None, "a.csv: cannot be read: No such file"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, contents: str | bytes | None, told: str) -> None:
    path = tmp_path / name if contents is None else file(tmp_path, name, contents)
    with pytest.raises(InputError) as raised:
        read_records(path)
    assert told in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_columns_are_found_by_their_names(tmp_path: Path) -> None:
    records = read_records(file(tmp_path, "a.csv", "sentence,sentence2,label\na,b,c\n"))
    assert columns_of(records, COLUMNS, {}) == {"text": "sentence", "pair": "sentence2"}
    assert columns_of(records, COLUMNS, {"text": "label"}) == {"text": "label", "pair": "sentence2"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "no column for the text: "),
        ({"text": "b"}, "column text=b: there is none; "),
        ({"words": "a"}, "column words=a: the rows of this task have "),
    ],
)
def test_a_column_that_is_missing(tmp_path: Path, given: dict[str, str], told: str) -> None:
    records = read_records(file(tmp_path, "a.csv", "a,c\n1,2\n"))
    with pytest.raises(InputError) as raised:
        columns_of(records, COLUMNS, given)
    assert told in str(raised.value)
    assert "words" in given or "'a', 'c'" in str(raised.value)
    assert given or "--column text=NAME" in str(raised.value)
