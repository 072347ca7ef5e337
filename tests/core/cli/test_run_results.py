"""How ``tfx-core run`` prints results."""

import json
from typing import Any

import click
import numpy as np
import pytest

from tfx_core.cli.task_results import json_line, tabbed, table

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
    assert list(tabbed("a\tb\nc", 3)) == ["a b c"]
    assert list(tabbed(np.array([1.0, 2.5]), 3)) == ["1\t2.5"]


def test_several_results_begin_with_the_number_of_their_input() -> None:
    assert list(tabbed(FILLED, 3)) == ["3\t0.5\t7\ta", "3\t0.25\t8\tbb"]
    assert list(tabbed([FILLED[:1], FILLED[1:]], 3)) == ["3\t1\t0.5\t7\ta", "3\t2\t0.25\t8\tbb"]
    assert list(tabbed([], 3)) == []
    assert list(tabbed(np.array([[1.0], [2.0]]), 3)) == ["3\t1", "3\t2"]


def test_a_table_has_the_input_above_aligned_columns() -> None:
    assert plain(table("the text", FILLED)) == [
        "the text",
        "   score  token  token_str",
        "  0.5000      7  a",
        "  0.2500      8  bb",
        "",
    ]
    assert plain(table("t", ONE)) == ["t", "  label   score", "  GOOD   0.9877", ""]


def test_tables_of_several_groups_nothing_text_and_vectors() -> None:
    grouped = plain(table("t", [FILLED[:1], FILLED[1:]]))
    assert [line for line in grouped if line in ("  1", "  2")] == ["  1", "  2"]
    assert plain(table("t", [])) == ["t", "  (nothing)", ""]
    assert plain(table("t", "a summary")) == ["t", "  a summary", ""]
    assert plain(table("t", np.array([1.0, 2.0]))) == ["t", "  [1. 2.]", ""]
    assert len(plain(table("t", np.zeros((500, 300))))) < 12


def test_text_cannot_drive_a_terminal() -> None:
    hostile = {"word": "a\x1b[2Jb\x07\x9bc"}
    for lines in (tabbed(hostile, 1), plain(table("\x1b[31mred", hostile))):
        assert not any(character in line for line in lines for character in "\x1b\x07\x9b")


def test_json_is_the_same_value_and_cannot_drive_a_terminal() -> None:
    hostile = {"a\x9b\u2028": "\x7f\u202e\ud800\x1b é 東京"}
    line = json_line(hostile)
    assert line.isprintable()
    assert "é 東京" in line
    assert json.loads(line) == hostile
    assert "\x1b" not in "".join(plain(table("t", [{"a\x1b[2J": 1}])))
