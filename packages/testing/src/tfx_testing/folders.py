"""Folders that tiny models are saved in: what is in them, how they are changed, what is read of them."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

import tfx_core
from tfx_core.model import Model

WEIGHTS = "model.safetensors"


def saved(model: Model, folder: Path) -> dict[str, Tensor]:
    """Save a model; the tensors of the file, by their names there."""
    model.save_pretrained(folder)
    return load_file(folder / WEIGHTS)


def rewritten(folder: Path, **values: Any) -> dict[str, Any]:
    """Change keys of the folder's config; returns what the file held before."""
    path = folder / "config.json"
    before: dict[str, Any] = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**before, **values}), encoding="utf-8")
    return before


def frozen(model: Model, dtype: str, folder: Path) -> Model:
    """The model saved, and loaded with its weights packed for inference."""
    model.save_pretrained(folder)
    return tfx_core.load_model(folder, head=model.head_name, dtype=dtype, frozen=True)


def same_files(one: Path, other: Path, what: str) -> None:
    """Fail unless two folders have the same files with the same bytes; ``what`` says of what they are."""
    names, others = ({file.name for file in folder.iterdir()} for folder in (one, other))
    assert names == others, f"{what}: {sorted(names ^ others)} in one folder only"
    differ = [name for name in sorted(names) if (one / name).read_bytes() != (other / name).read_bytes()]
    tensors = [
        name
        for name, tensor in (load_file(one / WEIGHTS) if WEIGHTS in differ else {}).items()
        if not torch.equal(tensor, load_file(other / WEIGHTS).get(name, tensor.new_empty(0)))
    ]
    assert not differ, f"{what}: not the same bytes in {differ}" + (
        f"; tensors that differ: {tensors}" if tensors else ""
    )
