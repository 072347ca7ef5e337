"""How results look: a table that fits the terminal and cannot be steered by a passage, and lines for programs."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tfx_core.embedding.passage_index import Passage
from tfx_retrieval.results import as_json, as_table, as_tabs, display_width, one_line, wrapped
from tfx_retrieval.search import Hit

HITS = [
    Hit(1, 0.71234567, 3, Passage("The with statement\nguarantees that __exit__ is always called.", "with", "with#2")),
    Hit(2, -0.5, 9, Passage("短い文", "文", "ja")),
]


def test_table() -> None:
    assert list(as_table("How?", HITS, width=50, lines=2)) == [
        "How?",
        "rank  score   topic  passage",
        "   1   0.712  with   The with statement guarantees",
        "                     that __exit__ is always…",
        "   2  -0.500  文     短い文",
    ]
    whole = list(as_table("How?", HITS[:1], width=50, lines=0))
    assert whole[-1] == "                     called."


def test_tabs_have_one_line_a_hit_whatever_the_passage_holds() -> None:
    assert list(as_tabs("How?\t", HITS)) == [
        "How?\t1\t0.712346\twith\tThe with statement guarantees that __exit__ is always called.",
        "How?\t2\t-0.500000\t文\t短い文",
    ]


def test_json_has_the_passage_as_it_is() -> None:
    value = json.loads(as_json("How?", HITS))
    assert value["question"] == "How?"
    assert value["hits"][0] == {
        "rank": 1,
        "score": 0.712346,
        "topic": "with",
        "id": "with#2",
        "passage": HITS[0].passage.text,
    }
    assert "\n" not in as_json("How?", HITS)


def test_a_passage_cannot_steer_the_terminal() -> None:
    evil = Hit(1, 0.0, 0, Passage("\x1b[2J\x07a\x9bb", "\x1b]0;x\x07", "x"))
    for text in (*as_table("q", [evil], width=80, lines=4), *as_tabs("q\x1b", [evil])):
        assert not any(sign in text for sign in "\x1b\x07\x9b")


@given(text=st.text(alphabet="ab 漢́", max_size=60), width=st.integers(2, 12))
def test_wrapping_keeps_every_sign_and_the_width(text: str, width: int) -> None:
    text = one_line(text)
    lines = wrapped(text, width, 0)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(display_width(line) <= width for line in lines)


@given(text=st.text(alphabet="ab 漢", max_size=60), width=st.integers(2, 12), count=st.integers(1, 4))
def test_wrapping_to_a_number_of_lines(text: str, width: int, count: int) -> None:
    text = one_line(text)
    lines = wrapped(text, width, count)
    everything = wrapped(text, width, 0)
    assert len(lines) == min(count, len(everything))
    assert all(display_width(line) <= width for line in lines)
    assert lines[-1].endswith("…") == (len(everything) > count)
