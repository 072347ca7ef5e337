"""``tfx-core run``: what becomes of lines that cannot be used, and of texts with line ends, tabs and backslashes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import tfx_core
from tests.core.cli import running
from tests.core.tasks.counting import Counting
from tfx_core import TaskSpec, hookimpl
from tfx_core.cli.run import _follow
from tfx_core.cli.task_answers import answers
from tfx_core.cli.task_inputs import RunInputs, Unusable
from tfx_core.errors import InputError
from tfx_core.tasks import Result
from tfx_testing.toy import Plugin, save

LONG = "dog " * 50


class Echo(Counting):
    """Gives each text back."""

    name = "echo"

    def decode(self, item: str, *_: object) -> Result:
        return {"echoed_text": item}


class Unspeakable(Echo):
    """Answers one text with an id that no token has."""

    name = "echo"

    def decode(self, item: str, *_: object) -> Result:
        return {"echoed_text": self.tokenizer.decode([10**6]) if item == "bob" else item}


class Echoes:
    @hookimpl
    def tfx_tasks(self) -> list[TaskSpec]:
        return [TaskSpec("echo", target=f"{__name__}:Echo", heads=("backbone",), summary="gives back")]


@pytest.fixture(autouse=True)
def toy() -> Iterator[None]:
    with tfx_core.register(Plugin(), name="tfx-toy"), tfx_core.register(Echoes(), name="echo"):
        yield


@pytest.fixture
def model(tmp_path: Path) -> str:
    return save(tmp_path / "bare", "backbone")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    lines = ['"a dog"', "nonsense", '{"text": "bob"}', json.dumps(LONG), '"a cat"']
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_lines_that_cannot_be_used_are_told_at_the_end_and_the_others_answered(model: str, texts: Path) -> None:
    result = running.run("run", "echo", "-m", model, "-f", str(texts))
    assert result.exit_code == 1
    assert result.stdout.split("\n") == ["a dog", "", "bob", "", "a cat", ""]
    assert result.stderr.splitlines() == [
        f"{texts}, line 2, column 1: not JSON: Expecting value",
        f"{texts}, line 4: 52 tokens, but the model takes at most 32; truncation=True (--truncation) cuts the text to "
        "fit",  # the task of this test has no such option
        "Error: 2 of 5 inputs have no answer; the others do",
    ]


def test_in_json_an_error_stands_in_the_place_of_a_result(model: str, texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = running.run("run", "echo", "-m", model, "-f", str(texts), "--json", "-o", str(out))
    assert result.exit_code == 1
    values = [json.loads(line) for line in out.read_text().splitlines()]
    assert [value.get("echoed_text") for value in values] == ["a dog", None, "bob", None, "a cat"]
    assert values[1] == {"error": f"{texts}, line 2, column 1: not JSON: Expecting value"}
    assert "line 4: 52 tokens" in values[3]["error"]


def test_one_is_one_line_and_strict_stops(model: str, texts: Path) -> None:
    piped = running.run("run", "echo", "-m", model, stdin=f"a\n{LONG}\nb\n")
    assert (piped.exit_code, piped.stdout, piped.stderr.count("\n")) == (1, "a\n\nb\n", 1)
    assert piped.stderr.startswith("Error: standard input, line 2: 52 tokens")
    strict = running.run("run", "echo", "-m", model, "-f", str(texts), "--strict")
    assert (strict.exit_code, strict.stdout) == (1, "")
    assert strict.stderr == f"Error: {texts}, line 2, column 1: not JSON: Expecting value\n"


def test_a_pipe_that_begins_with_an_object_is_read_as_json(model: str) -> None:
    lines = '{"text": "a dog"}\n"a cat"\n'
    piped = running.run("run", "echo", "-m", model, stdin=lines)
    assert piped.stdout.splitlines() == ["a dog", "a cat"]
    as_lines = running.run("run", "echo", "-m", model, "--read-as", "lines", stdin=lines)
    assert as_lines.stdout.splitlines() == lines.splitlines()
    for text in ('"a"\n', "{a}\n", "[1]\n", "{\n", ""):
        assert running.run("run", "echo", "-m", model, stdin=text).stdout == text


def test_many_that_cannot_be_used_are_counted(model: str) -> None:
    result = running.run("run", "echo", "-m", model, "--read-as", "jsonl", stdin="{\n" * 30)
    assert result.stderr.count("\n") == 21
    assert result.stderr.endswith("Error: 30 of 30 inputs have no answer\n")


@pytest.mark.parametrize("bad", [set(), {0}, {7}, {3, 4, 1500}, {*range(0, 2100, 7)}, {*range(2100)}])
def test_each_input_has_its_own_answer_whichever_cannot_be_used(model: str, bad: set[int]) -> None:
    task = Echo.load(model)
    values = [LONG if number in bad else f"a {number}" for number in range(2100)]
    done: list[int] = []
    inputs = RunInputs(iter(values), None, lambda index: f"line {index + 1}", strict=False)
    results = list(answers(task, inputs, done.append))
    assert [value for value, _ in results] == values
    for number, (value, result) in enumerate(results):
        if number in bad:
            assert isinstance(result, Unusable)
            assert result.reason.startswith(f"line {number + 1}: 52 tokens")
        else:
            assert result == {"echoed_text": value}
    assert sum(done) == len(values)


def test_an_answer_that_is_no_text_is_that_of_its_line(model: str) -> None:
    inputs = RunInputs(iter(["a", "bob", "c"]), None, lambda index: f"line {index + 1}", strict=False)
    first, second, third = [result for _, result in answers(Unspeakable.load(model), inputs, lambda _: None)]
    assert (first, third) == ({"echoed_text": "a"}, {"echoed_text": "c"})
    assert isinstance(second, Unusable)
    assert "line 2: what the model answered is no text" in str(second)


@pytest.mark.parametrize("bad", [{15}, {3, 15, 39}, {*range(40)}])
def test_answers_that_came_before_one_that_cannot_be_used_are_there_once(
    model: str, bad: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Echo, "rows_of", lambda *_: 100)  # so that a task takes 11 together
    task = Echo.load(model)
    values = [LONG if number in bad else f"a {number}" for number in range(40)]
    inputs = RunInputs(iter(values), None, lambda index: f"line {index + 1}", strict=False)
    results = [result for _, result in answers(task, inputs, lambda _: None)]
    assert {number for number, result in enumerate(results) if isinstance(result, Unusable)} == bad
    good = [number for number in range(40) if number not in bad]
    assert [results[number] for number in good] == [{"echoed_text": values[number]} for number in good]


def test_texts_survive_a_pipe(model: str, tmp_path: Path) -> None:
    text = "one\n\ttwo\\n\r\n"
    lines = running.run("run", "echo", "-m", model, "--read-as", "jsonl", stdin=f'{json.dumps(text)}\n"bob"\n')
    assert lines.stdout == "one\\n\\ttwo\\\\n\\r\\n\nbob\n"
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    out = tmp_path / "out.txt"
    for given in ([text], ["--file", str(path), "--read-as", "whole"], ["--raw", text], ["--raw", "--", text]):
        assert running.run("run", "echo", "-m", model, "-o", str(out), *given).exit_code == 0
        assert out.read_bytes() == text.encode() + b"\n"
    assert running.run("run", "echo", "-m", model, "--raw", text, text).stdout_bytes == f"{text}\n{text}\n".encode()


def test_a_header_names_the_values_even_below_lines_without_an_answer(model: str, tmp_path: Path) -> None:
    asked = ("run", "echo", "-m", model, "--header", "--read-as", "jsonl")
    assert running.run(*asked, stdin='"a"\n"b"\n').stdout == "echoed_text\na\nb\n"
    assert running.run(*asked, stdin='{\n"b"\n').stdout == "echoed_text\n\nb\n"
    assert running.run(*asked, stdin="{\n").stdout == "\n"


def test_the_home_folder_may_be_written_with_a_tilde(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert running.run("run", "echo", "-m", model, "--output=~/out.txt", "bob").exit_code == 0
    assert (tmp_path / "out.txt").read_text() == "bob\n"


class Teller:
    """Follows its text as it comes; one text it refuses."""

    def can_follow(self, **options: object) -> bool:
        return True

    def follow(self, value: object, write: Callable[[str], object], **options: object) -> Result:
        if value == "bad":
            raise InputError("it is bad")
        write(f"{value}!")


@pytest.mark.parametrize("strict", [False, True])
def test_on_a_terminal_too_the_others_are_answered(strict: bool, capsys: pytest.CaptureFixture[str]) -> None:
    values = iter(["a", "bad", *([] if strict else [Unusable("line 3: no text")]), "c"])
    inputs = RunInputs(values, None, lambda index: f"line {index + 1}", strict=strict)
    with (
        click.Context(click.Command("run")),
        pytest.raises(InputError, match="line 2: it is bad" if strict else "2 of 4 inputs have no answer"),
    ):
        _follow(Teller(), inputs)
    shown = capsys.readouterr()
    assert shown.out == ("a!\n\n\n\n" if strict else "a!\n\n\n\n\n\nc!\n\n")
    assert shown.err == ("" if strict else "line 2: it is bad\nline 3: no text\n")
