"""The ids of a fixed vocabulary never change; tests/parity checks that they are those of the reference."""

import json
from pathlib import Path

import pytest

from tests.core.text.folders import DATA, read, small

GOLDEN = json.loads((DATA / "wordpiece.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_ids_stay_as_they_are(name: str, tmp_path: Path) -> None:
    case = GOLDEN["cases"][name]
    tokenizer = small(tmp_path, case["settings"])
    for text, ids in zip(GOLDEN["texts"], case["ids"], strict=True):
        assert tokenizer(text).input_ids == ids, text
    assert tokenizer(GOLDEN["texts"]).input_ids == case["ids"]


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_ids_survive_saving_and_reading_tokenizer_json(name: str, tmp_path: Path) -> None:
    case = GOLDEN["cases"][name]
    small(tmp_path / "released", case["settings"]).save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved")(GOLDEN["texts"]).input_ids == case["ids"]
    assert read(tmp_path / "saved", None)(GOLDEN["texts"]).input_ids == case["ids"]
