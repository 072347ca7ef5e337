"""Which files of a folder hold its tensors, and indexes that lie."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tfx_core.checkpoint import open_folder, read_tensors
from tfx_core.checkpoint.safetensors_format import write_safetensors
from tfx_core.errors import CheckpointError

INDEX = "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def values(folder: Path) -> dict[str, list[float]]:
    return {name: entry.load().tolist() for name, entry in read_tensors(open_folder(folder)).items()}


def write_shards(folder: Path, weight_map: dict[str, Any]) -> None:
    write_safetensors(folder / FIRST, {"a": torch.ones(1), "b": torch.ones(1) * 2})
    write_safetensors(folder / SECOND, {"c": torch.ones(1) * 3})
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 12}, "weight_map": weight_map}))


def test_formats_in_their_order(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(1)}, tmp_path / "part.bin")
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"x": "part.bin"}}))
    assert values(tmp_path) == {"x": [1]}
    torch.save({"y": torch.ones(1)}, tmp_path / "pytorch_model.bin")
    assert values(tmp_path) == {"y": [1]}
    write_shards(tmp_path, {"a": FIRST, "b": FIRST, "c": SECOND})
    assert values(tmp_path) == {"a": [1], "b": [2], "c": [3]}
    write_safetensors(tmp_path / "model.safetensors", {"z": torch.ones(1)})
    assert values(tmp_path) == {"z": [1]}


def test_tensors_are_known_before_they_are_read(tmp_path: Path) -> None:
    write_shards(tmp_path, {"a": FIRST, "b": FIRST, "c": SECOND})
    tensors = read_tensors(open_folder(tmp_path))
    assert len(tensors) == 3
    assert "c" in tensors
    assert (tensors["c"].shape, tensors["c"].dtype) == ((1,), torch.float32)
    assert not any(entry.file._mapped for entry in tensors.values())


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_tensors(open_folder(tmp_path))
    assert str(caught.value) == (
        f"{tmp_path}: holds no weights; looked for model.safetensors, model.safetensors.index.json, "
        "pytorch_model.bin, pytorch_model.bin.index.json"
    )


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        ({"a": FIRST, "b": FIRST, "c": "../../secret"}, "weight_map: .*'../../secret' may lead out of the folder"),
        ({"a": FIRST, "b": FIRST, "c": "/etc/secret"}, "weight_map: .*'/etc/secret' may lead out of the folder"),
        (
            {"a": FIRST, "b": FIRST, "c": "model-3.safetensors"},
            "names the file 'model-3.safetensors', which is missing",
        ),
        ({"a": FIRST, "b": FIRST, "c": FIRST}, f"'c': '{FIRST}' lacks it"),
        ({"a": FIRST, "b": FIRST, "c": SECOND, "d": SECOND}, f"'d': '{SECOND}' lacks it"),
        ({"a": FIRST, "c": SECOND}, f"'b': '{FIRST}' holds it, unlisted"),
        ({}, "weight_map must be an object"),
        ({"a": 1}, "weight_map must be an object"),
    ],
)
def test_an_index_that_does_not_fit_its_files(tmp_path: Path, weight_map: dict[str, Any], message: str) -> None:
    write_shards(tmp_path, weight_map)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_tensors(open_folder(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}/{INDEX}: ")


@pytest.mark.parametrize("text", ['{"weight_map": []}', "{}", '{"weight_map": "x"}'])
def test_an_index_without_a_map(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_text(text)
    with pytest.raises(CheckpointError, match="weight_map must be an object"):
        read_tensors(open_folder(tmp_path))
