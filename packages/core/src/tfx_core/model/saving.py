"""From a model's config and tensors to a folder that transformers and tfx both read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from tfx_core.checkpoint import save_tensors, write_folder, written_json
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
    with write_folder(folder) as staging:
        save_tensors(staging, tensors, max_shard_size)
        config.to_json_file(staging / "config.json")
        if generation_config is not None:
            text = written_json(generation_config)
            (staging / "generation_config.json").write_text(text, encoding="utf-8")
