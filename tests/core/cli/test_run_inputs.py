"""Where the inputs of ``tfx-core run`` come from."""

import io
import os
import threading
from pathlib import Path

import click
import pytest

from tfx_core.cli.task_inputs import Form, Unusable, open_inputs
from tfx_core.errors import InputError


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def write(tmp_path: Path, data: bytes, name: str = "texts.txt") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def read(
    *texts: str, file: str | None = None, form: Form | None = None, stdin: bytes = b"", strict: bool = False
) -> tuple[list[object], int | None]:
    inputs = open_inputs(texts, file, form, io.BytesIO(stdin), strict=strict)
    return list(inputs.values), inputs.total


def test_texts_come_from_arguments_files_and_pipes(tmp_path: Path) -> None:
    assert read("a b", "c") == (["a b", "c"], 2)
    assert read(file=write(tmp_path, b"one\ntwo\r\n\nthree")) == (["one", "two", "", "three"], 4)
    assert read(stdin=b"one\ntwo\n") == (["one", "two"], None)
    assert read("-", stdin=b"one\n") == (["one"], None)
    assert read(file="-", stdin=b"one\n") == (["one"], None)
    assert read(file=write(tmp_path, b"")) == ([], 0)


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\x0cc\x85d"
    assert read(file=write(tmp_path, text.encode())) == ([text], 1)


def test_a_file_of_json_lines_is_known_by_its_name(tmp_path: Path) -> None:
    data = '{"text": "é"}\n"plain"\n["a", "b"]\n'.encode()
    values = ["é", "plain", ["a", "b"]]
    assert read(file=write(tmp_path, data, "x.jsonl")) == (values, 3)
    assert read(file=write(tmp_path, data, "x.txt"), form="jsonl") == (values, 3)
    assert read(stdin=data, form="jsonl") == (values, None)
    assert read(file=write(tmp_path, b'"quoted"\n', "x.jsonl"), form="lines") == (['"quoted"'], 1)


def test_a_whole_file_is_one_text(tmp_path: Path) -> None:
    assert read(file=write(tmp_path, b"one\ntwo\n"), form="whole") == (["one\ntwo\n"], 1)
    assert read(stdin=b"one\ntwo", form="whole") == (["one\ntwo"], None)


def test_a_byte_order_mark_is_not_part_of_the_text(tmp_path: Path) -> None:
    assert read(file=write(tmp_path, b"\xef\xbb\xbfone\ntwo")) == (["one", "two"], 2)
    assert read(file=write(tmp_path, b"\xef\xbb\xbf"), form="whole") == ([""], 1)


@pytest.mark.parametrize("form", ["lines", "jsonl", "whole"])
def test_what_is_not_utf8_is_named_before_anything_runs(tmp_path: Path, form: Form) -> None:
    path = write(tmp_path, '"grün"\n'.encode() + b'"gr\xfcn"\n')
    with pytest.raises(InputError) as caught:
        open_inputs((), path, form, io.BytesIO(), strict=True)
    assert str(caught.value).startswith(f"{path}, line 2: byte 11 (0xfc) is not UTF-8")


def test_the_byte_is_counted_from_the_start_of_the_file_even_behind_a_mark(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbfab\xff")
    with pytest.raises(InputError, match=r"line 1: byte 5 \(0xff\)"):
        open_inputs((), path, None, io.BytesIO(), strict=True)


def test_a_pipe_is_read_as_it_comes_and_its_errors_name_the_line() -> None:
    inputs = open_inputs((), None, None, io.BytesIO(b"good\nb\xffd\n"), strict=True)
    assert next(inputs.values) == "good"
    with pytest.raises(InputError, match=r"standard input, line 2: byte 6 \(0xff\)"):
        next(inputs.values)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'"a"\n{"b": }\n', "line 2, column 7: not JSON: Expecting value"),
        (b'"a"\n\n', 'line 2: an empty line; each holds one value of JSON, "" for an empty text'),
        (b"[" * 100_000, "line 1: not usable JSON"),
    ],
)
def test_what_is_not_json_is_named_by_line_and_column(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(file=write(tmp_path, data, "x.jsonl"), strict=True)
    assert said in str(caught.value)


def test_lines_that_are_no_inputs_stand_in_their_places_with_the_reason(tmp_path: Path) -> None:
    path = write(tmp_path, b'"a"\n{"b": }\n\n"gr\xfcn"\n"z"\n', "x.jsonl")
    values, total = read(file=path)
    assert total == 5
    assert [values[0], values[4]] == ["a", "z"]
    reasons = [value.reason for value in values[1:4] if isinstance(value, Unusable)]
    assert [reason.removeprefix(f"{path}, line ").split(";")[0] for reason in reasons] == [
        "2, column 7: not JSON: Expecting value",
        "3: an empty line",
        "4: byte 16 (0xfc) is not UTF-8",
    ]


def test_places_are_named_as_a_user_counts(tmp_path: Path) -> None:
    path = write(tmp_path, b"a\nb\n")
    assert open_inputs(("a", "b"), None, None, io.BytesIO()).place(1) == "TEXT 2"
    assert open_inputs((), path, None, io.BytesIO()).place(1) == f"{path}, line 2"
    assert open_inputs((), path, "whole", io.BytesIO()).place(0) == path
    assert open_inputs((), None, None, io.BytesIO()).place(0) == "standard input, line 1"


def test_a_terminal_is_not_waited_for_unless_asked_to() -> None:
    with pytest.raises(click.UsageError, match="nothing to read"):
        open_inputs((), None, None, Terminal(b"typed\n"))
    assert list(open_inputs(("-",), None, None, Terminal(b"typed\n")).values) == ["typed"]


def test_sources_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="not both"):
        read("a", file=write(tmp_path, b"b"))
    with pytest.raises(click.UsageError, match="--read-as jsonl is for files and pipes"):
        read("a", form="jsonl")


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"one\ntwo\n",))
    writer.start()
    assert read(file=str(path)) == (["one", "two"], None)
    writer.join()
