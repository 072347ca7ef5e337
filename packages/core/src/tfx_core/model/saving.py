"""From a model to a folder that transformers and tfx both read."""

import json
from pathlib import Path

from tfx_core.checkpoint import collect_weights, save_tensors, write_folder
from tfx_core.model.config import ModelConfig
from tfx_core.model.model import Model
from tfx_core.plugins import ArchitectureSpec, registry


def stored_config(model: Model) -> ModelConfig:
    """The model's config, saying which head is stored and whether its output layer is tied."""
    classes = registry.find(ArchitectureSpec, model.config.model_type).hf_classes
    named = [name for name, head in classes.items() if head == model.head_name]
    backbone = [name for name, head in classes.items() if head == "backbone"]
    config = model.config.replace(
        architectures=tuple(named[:1] or backbone[:1]), tfx_head=None if named else model.head_name
    )
    if model.ties:
        config = config.with_ties(
            {name: model.get_parameter(name) is model.get_parameter(to) for name, to in model.ties}
        )
    return config.replace(extra={**config.extra, "torch_dtype": str(model.dtype).removeprefix("torch.")})


def save_model(model: Model, folder: str | Path, *, max_shard_size: int | str = "5GB") -> None:
    """Write config and weights; `tfx_core.checkpoint.write_folder` says what an interrupted save leaves behind.

    Raises `CheckpointError` where the folder cannot be written, with what was there before unchanged.
    """
    files = {"config.json": stored_config(model).to_dict()}
    if model.generation_config is not None:
        files["generation_config.json"] = dict(model.generation_config)
    tensors = collect_weights(model, model.weight_table, head=model.head_name, ties=model.ties)
    with write_folder(folder) as staging:
        save_tensors(staging, tensors, max_shard_size)
        for name, values in files.items():
            text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False)
            (staging / name).write_text(text + "\n", encoding="utf-8")
