"""Writes sentence-transformers folders, in the layout that all its releases read."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from tfx_core.checkpoint import save_tensors, write_folder
from tfx_core.embedding.sentence_folder import POOLING_FLAGS, POOLING_NAMES, Dense, Normalize
from tfx_core.errors import InputError

if TYPE_CHECKING:
    from tfx_core.embedding.encoder import TextEncoder


_NOTHING: dict[str, Tensor] = {}


def save_encoder(folder: str | Path, encoder: "TextEncoder", stages: Sequence[nn.Module], pool_prompt: bool) -> None:
    """Write model, tokenizer, and the steps behind them; an interrupted save leaves the old files."""
    described = [("Pooling", _pooling(encoder, pool_prompt), _NOTHING)]
    described += [_stage(stage) for stage in stages if not isinstance(stage, nn.Identity)]
    steps = [(kind, f"{number}_{kind}", config, own) for number, (kind, config, own) in enumerate(described, 1)]
    with write_folder(folder) as staging:
        encoder.model.save_pretrained(staging)
        encoder.tokenizer.save_pretrained(staging)
        for _, path, config, tensors in steps:
            (staging / path).mkdir()
            _write(staging / path / "config.json", config)
            if tensors:
                save_tensors(staging / path, tensors)
        length = {} if encoder.max_length is None else {"max_seq_length": encoder.max_length}
        _write(staging / "sentence_bert_config.json", {**length, "do_lower_case": encoder.lower_case})
        _write(staging / "config_sentence_transformers.json", _settings(encoder))
        named = [("Transformer", ""), *((kind, path) for kind, path, _, _ in steps)]
        _write(staging / "modules.json", [*_modules(named)])


def _modules(steps: Iterable[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    for number, (kind, path) in enumerate(steps):
        yield {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _settings(encoder: "TextEncoder") -> Mapping[str, Any]:
    return {
        "prompts": encoder.prompts,
        "default_prompt_name": encoder.default_prompt,
        "similarity_fn_name": encoder.similarity_fn_name,
    }


def _pooling(encoder: "TextEncoder", pool_prompt: bool) -> dict[str, Any]:
    """As flags, which every release reads, where their order is the one in which the vectors are joined."""
    flags: dict[str, Any] = {flag: mode in encoder.pooling for flag, mode in POOLING_FLAGS.items()}
    if encoder.pooling != tuple(mode for mode in POOLING_FLAGS.values() if mode in encoder.pooling):
        names = {mode: name for name, mode in POOLING_NAMES.items()}
        flags = {"pooling_mode": [names[mode] for mode in encoder.pooling]}
    return {"word_embedding_dimension": encoder.model.backbone.width, **flags, "include_prompt": pool_prompt}


def _stage(stage: nn.Module) -> tuple[str, dict[str, Any], dict[str, Tensor]]:
    """What a step behind the pooling is called, its settings and its tensors."""
    if isinstance(stage, Normalize):
        return "Normalize", {}, _NOTHING
    if isinstance(stage, nn.LayerNorm):
        return "LayerNorm", {"dimension": stage.normalized_shape[0]}, _named(stage, "norm")
    if not isinstance(stage, Dense):
        raise InputError(f"a step {type(stage).__name__} has no place in a sentence-transformers folder")
    linear, projection = stage.linear, stage.residual
    config = {
        "in_features": linear.in_features,
        "out_features": linear.out_features,
        "bias": linear.bias is not None,
        "activation_function": f"torch.nn.modules.activation.{type(stage.activation).__name__}",
    }
    config |= {} if projection is None else {"use_residual": True}
    projected = {} if projection is None else _named(projection, "residual")
    return "Dense", config, {**_named(linear, "linear"), **projected}


def _named(module: nn.Module, name: str) -> dict[str, Tensor]:
    return {f"{name}.{key}": tensor for key, tensor in module.state_dict().items()}


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
