"""Names of tensors are a stranger's text: in a message each is one short line, whatever it says."""

import json
from pathlib import Path

import pytest
import torch

from tests.core.checkpoint.tiny import load, weights
from tfx_core.checkpoint import open_folder, read_tensors
from tfx_core.checkpoint.safetensors_format import write_safetensors
from tfx_core.errors import CheckpointError

NAMES = {
    "escapes": "\x1b[2J\x9b",
    "a forged line": "x\nError: forged",
    "other line ends": "x\r\x85\u2028Error: forged",
    "a direction": "\u202egnorw",
    "endless": "x" * 10**6,
}


def harmless(error: CheckpointError, lines: int = 1) -> str:
    text = str(error)
    assert text.replace("\n", "").isprintable()
    assert text.count("\n") < lines
    assert len(text) < 20_100
    return text


def header(path: Path, entries: dict[str, object], data: bytes) -> None:
    text = json.dumps(entries).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_of_a_checkpoint_that_does_not_fit(tmp_path: Path, name: str) -> None:
    stored = weights("masked-lm") | {name: torch.zeros(3)}
    with pytest.raises(CheckpointError, match="unexpected") as caught:
        load(tmp_path, stored, "masked-lm", stored_heads=("masked-lm",))
    assert len(harmless(caught.value, lines=2)) < 1_000


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_of_a_damaged_header(tmp_path: Path, name: str) -> None:
    fine = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    for entries in ({name: 5}, {"a": fine, name: fine}):
        header(tmp_path / "model.safetensors", entries, b"\0" * 4)
        with pytest.raises(CheckpointError, match="is damaged") as caught:
            read_tensors(open_folder(tmp_path))
        assert len(harmless(caught.value)) < 1_000


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_of_an_index(tmp_path: Path, name: str) -> None:
    write_safetensors(tmp_path / "shard.safetensors", {"a": torch.zeros(1)})
    for weight_map in ({"a": "shard.safetensors", name: "shard.safetensors"}, {"a": name[:200]}, {name: 5}):
        index = {"metadata": {}, "weight_map": weight_map}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(CheckpointError) as caught:
            read_tensors(open_folder(tmp_path))
        harmless(caught.value)


def test_of_many_faults_the_first_are_listed_and_all_counted(tmp_path: Path) -> None:
    stored = weights("masked-lm") | {f"more.{number:04}": torch.zeros(1) for number in range(950)}
    with pytest.raises(CheckpointError, match=r"\(950 faults\)") as caught:
        load(tmp_path, stored, "masked-lm", stored_heads=("masked-lm",))
    _, *lines = harmless(caught.value, lines=52).split("\n  ")
    assert len(lines) == 51
    assert lines[0] == "unexpected more.0000 (1,)"
    assert lines[-1] == "… and 900 more"
