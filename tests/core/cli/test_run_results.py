"""How ``tfx-core run`` prints results."""

import json
import re
from typing import Any

import click
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_core.cli import display_width
from tfx_core.cli.task_inputs import Unusable
from tfx_core.cli.task_results import Lines, json_line, tab_header, tabbed, table

ONE = {"label": "GOOD", "score": 0.98765432}
FILLED = [{"score": 0.5, "token": 7, "token_str": "a"}, {"score": 0.25, "token": 8, "token_str": "bb"}]


def plain(lines: Any) -> list[str]:
    return [click.unstyle(line) for line in lines]


@pytest.mark.parametrize(
    ("result", "read_back"),
    [
        (ONE, ONE),
        ([], []),
        ([[{"a": "é\n"}]], [[{"a": "é\n"}]]),
        (np.array([[1.5, -2.0]], np.float32), [[1.5, -2.0]]),
        ({"score": float("nan"), "vector": np.array([np.inf, 1.0])}, {"score": None, "vector": [None, 1.0]}),
        ("text", "text"),
    ],
)
def test_json_is_one_line_that_strict_readers_take(result: Any, read_back: Any) -> None:
    line = json_line(result)
    assert "\n" not in line
    assert json.loads(line, parse_constant=pytest.fail) == read_back
    assert "é" in line or "\\u" not in line


def test_one_result_for_each_input_is_one_line_for_each() -> None:
    assert list(tabbed(ONE, 3)) == ["GOOD\t0.987654"]
    assert list(tabbed("a\tb\nc", 3)) == [r"a\tb\nc"]
    assert list(tabbed(np.array([1.0, 2.5]), 3)) == ["1\t2.5"]


@given(st.text(st.characters(codec="utf-8")))
def test_a_text_is_one_line_that_gives_the_text_back(text: str) -> None:
    (line,) = tabbed({"text": text}, 1)
    assert "\n" not in line
    assert "\t" not in line
    marks = {"\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r"}
    back = re.sub(r"\\(x..|.)", lambda found: marks.get(found[0]) or chr(int(found[1][1:], 16)), line)
    assert back == text
    assert list(tabbed({"text": text}, 1, verbatim=True)) == [text]


def test_lists_of_one_length_are_columns() -> None:
    chosen = {"sequence": "bob", "labels": ["a", "b"], "scores": [0.75, 0.25]}
    assert list(Lines("tabs", header=True).of("bob", chosen, 3)) == [
        "input\tlabels\tscores",
        "3\ta\t0.75",
        "3\tb\t0.25",
    ]
    shown = plain(Lines("table").of("bob", chosen, 3))
    assert [line.split() for line in shown] == [["bob"], ["labels", "scores"], ["a", "0.7500"], ["b", "0.2500"], []]
    assert list(Lines("json").of("bob", chosen, 3)) == [json_line(chosen)]
    for other in ({"a": [1, 2], "b": "x"}, {"a": [1, 2], "b": [3]}):
        assert list(Lines("tabs").of("bob", other, 3)) == list(tabbed(other, 3))


def test_headers_name_what_the_lines_hold() -> None:
    assert tab_header(ONE) == "label\tscore"
    assert tab_header(FILLED) == "input\tscore\ttoken\ttoken_str"
    assert tab_header([FILLED]) == "input\tpart\tscore\ttoken\ttoken_str"
    assert tab_header("a summary") == "text"
    assert (tab_header(0.5), tab_header([0.5, 0.25])) == ("value", "input\tvalue")
    assert tab_header([]) is None


@pytest.mark.parametrize("width", [40, 60])
def test_a_table_keeps_to_its_width_and_cuts_no_number(width: int) -> None:
    long = [{"score": 0.123456, "start": 1234567, "word": "東京 bob " * 12, "sequence": "x" * 80}]
    for result in (long, long * 3, "a summary " * 20, np.zeros((40, 30)), Unusable("nothing of it " * 9)):
        lines = plain(table("the text " * 20, result, width))
        assert max(map(display_width, lines)) <= width
    assert any("0.1235  1234567" in line for line in plain(table("t", long, width)))


def test_several_results_begin_with_the_number_of_their_input() -> None:
    assert list(tabbed(FILLED, 3)) == ["3\t0.5\t7\ta", "3\t0.25\t8\tbb"]
    assert list(tabbed([FILLED[:1], FILLED[1:]], 3)) == ["3\t1\t0.5\t7\ta", "3\t2\t0.25\t8\tbb"]
    assert list(tabbed([], 3)) == []
    assert list(tabbed(np.array([[1.0], [2.0]]), 3)) == ["3\t1", "3\t2"]


def test_a_table_has_the_input_above_aligned_columns() -> None:
    assert plain(table("the text", FILLED, 80)) == [
        "the text",
        "   score  token  token_str",
        "  0.5000      7  a",
        "  0.2500      8  bb",
        "",
    ]
    assert plain(table("t", ONE, 80)) == ["t", "  label   score", "  GOOD   0.9877", ""]


def test_tables_of_several_groups_nothing_text_and_vectors() -> None:
    grouped = plain(table("t", [FILLED[:1], FILLED[1:]], 80))
    assert [line for line in grouped if line in ("  1", "  2")] == ["  1", "  2"]
    assert plain(table("t", [], 80)) == ["t", "  (nothing)", ""]
    assert plain(table("t", "a summary", 80)) == ["t", "  a summary", ""]
    assert plain(table("t", np.array([1.0, 2.0]), 80)) == ["t", "  [1. 2.]", ""]
    assert len(plain(table("t", np.zeros((500, 300)), 80))) < 12


def test_text_cannot_drive_a_terminal() -> None:
    hostile = {"word": "a\x1b[2Jb\x07\x9bc"}
    for lines in (tabbed(hostile, 1), plain(table("\x1b[31mred", hostile, 80))):
        assert not any(character in line for line in lines for character in "\x1b\x07\x9b")


def test_json_is_the_same_value_and_cannot_drive_a_terminal() -> None:
    hostile = {"a\x9b\u2028": "\x7f\u202e\ud800\x1b é 東京"}
    line = json_line(hostile)
    assert line.isprintable()
    assert "é 東京" in line
    assert json.loads(line) == hostile
    assert "\x1b" not in "".join(plain(table("t", [{"a\x1b[2J": 1}], 80)))
