"""From a model's config and tensors to a folder that transformers and tfx both read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from tfx_core.checkpoint import save_tensors, write_folder
from tfx_core.model.config import ModelConfig


def save_model(
    folder: str | Path,
    config: ModelConfig,
    generation_config: Mapping[str, Any] | None,
    tensors: Mapping[str, Tensor],
    *,
    max_shard_size: int | str,
) -> None:
    """Write configs and weights; `tfx_core.checkpoint.write_folder` says what an interrupted save leaves behind."""
    files = {"config.json": config.to_dict()}
    if generation_config is not None:
        files["generation_config.json"] = dict(generation_config)
    with write_folder(folder) as staging:
        save_tensors(staging, tensors, max_shard_size)
        for name, values in files.items():
            text = json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False)
            (staging / name).write_text(text + "\n", encoding="utf-8")
