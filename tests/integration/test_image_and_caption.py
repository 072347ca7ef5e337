"""The example of pictures and captions: neither alone gives the answer, both do, and a model learns it."""

import json
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

import tfx_core

EXAMPLE = Path(__file__).parents[2] / "examples/image_and_caption"


@pytest.fixture(autouse=True)
def beside_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files import each other by name, and other examples have files of the same."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("pictures", "train"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_caption_leaves_three_answers_and_none_of_them_is_likelier() -> None:
    from pictures import ANSWERS, LABELS, examples

    counts = Counter((each.caption, LABELS[each.label]) for each in islice(examples(0), 1800))
    assert {answer for _, answer in counts} == {*LABELS}
    for (caption, answer), count in counts.items():
        assert answer in ANSWERS[caption.split()[1]]
        assert 140 < count < 260


def test_a_picture_shows_what_is_right() -> None:
    from pictures import COLOURS, LABELS, PLACES, THIRD, examples

    for each in islice(examples(0), 90):
        shown = [colour for colour in COLOURS if COLOURS[colour] in [x for _, x in each.image.getcolors(9999) or ()]]
        assert len(shown) == 1
        rows = [y for y in range(each.image.height) for x in range(each.image.width)
                if each.image.getpixel((x, y)) == COLOURS[shown[0]]]  # fmt: skip
        seen = {"colour": shown[0], "place": PLACES[min(rows) // THIRD]}
        asked = each.caption.split()[1]
        assert asked == "shape" or LABELS[each.label] == seen[asked]


def test_it_runs_and_leaves_a_model_for_the_command_line(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLE / "train.py"), str(tmp_path), "--steps", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split("  ")[0] for line in ran.stdout.splitlines() if "%" in line] == [
        "caption alone", "picture alone", "both"
    ]  # fmt: skip
    assert set(json.loads((tmp_path / "results.json").read_text())["accuracy"]) == {
        "caption alone", "picture alone", "both"
    }  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "shown.jsonl").read_text().splitlines()]
    classify = tfx_core.pipeline("multimodal-classification", tmp_path)
    results = classify([{**line, "image": tmp_path / line["image"]} for line in lines])
    assert {result["label"] for result in results} <= {*classify.model.config.id2label.values()}
