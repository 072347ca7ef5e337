"""A tiny configuration of every official architecture, and inputs that it accepts."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

_Module = TypeVar("_Module", bound=nn.Module)

_CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {
        "vocab_size": 53,
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 40,
        "max_position_embeddings": 40,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
    "gpt2": {
        "vocab_size": 53,
        "n_positions": 40,
        "n_embd": 24,
        "n_layer": 3,
        "n_head": 4,
        "n_inner": 40,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "summary_first_dropout": 0.0,
        "classifier_dropout": 0.0,
        "bos_token_id": 52,
        "eos_token_id": 52,
    },
    "transfo-xl": {
        "vocab_size": 53,
        "cutoffs": [12, 30],
        "d_model": 24,
        "d_embed": 24,
        "n_head": 4,
        "d_head": 5,
        "d_inner": 40,
        "div_val": 2,
        "n_layer": 3,
        "mem_len": 6,
        "clamp_len": 10,
        "dropout": 0.0,
    },
    "xlnet": {
        "vocab_size": 53,
        "d_model": 24,
        "n_layer": 3,
        "n_head": 4,
        "d_inner": 40,
        "dropout": 0.0,
        "summary_last_dropout": 0.0,
        "start_n_top": 2,
        "end_n_top": 3,
        "mem_len": None,
    },
    "t5": {
        "vocab_size": 53,
        "d_model": 24,
        "d_kv": 5,
        "d_ff": 40,
        "num_layers": 2,
        "num_decoder_layers": 3,
        "num_heads": 4,
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 10,
        "dropout_rate": 0.0,
        "decoder_start_token_id": 0,
        "eos_token_id": 1,
    },
    "bart": {
        "vocab_size": 53,
        "max_position_embeddings": 40,
        "d_model": 24,
        "encoder_layers": 2,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 40,
        "decoder_layers": 3,
        "decoder_attention_heads": 2,
        "decoder_ffn_dim": 32,
        "dropout": 0.0,
    },
}


_END_TOKENS = {"bart": 2, "t5": 1}
"""What the inputs of an architecture end with, where a head reads it."""


def tiny_config(model_type: str) -> dict[str, Any]:
    """Keys of its ``config.json``: small sizes, no dropout."""
    return dict(_CONFIGS[model_type])


def perturbed(model: _Module, seed: int, scale: float | Callable[[str], float]) -> _Module:
    """The model, with noise of this deviation added to every parameter; ``scale`` may depend on its name."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            deviation = scale if isinstance(scale, float) else scale(name)
            parameter.add_(torch.randn(parameter.shape, generator=generator) * deviation)
    return model


def random_ids(model_type: str, rows: int, length: int, seed: int = 0) -> Tensor:
    """Token ids ``(rows, length)`` without the smallest, which are often special."""
    config = _CONFIGS[model_type]
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, config["vocab_size"] - 1, (rows, length), generator=generator)
    if model_type in _END_TOKENS:
        ids[:, -1] = _END_TOKENS[model_type]
    return ids


def target_ids(model_type: str, head: str, rows: int) -> dict[str, Tensor]:
    """What the decoder of an encoder-decoder reads, where the head does not take the source for it."""
    if model_type not in _END_TOKENS or head not in ("backbone", "conditional-generation"):
        return {}
    return {"decoder_input_ids": random_ids(model_type, 1, 4, seed=99).expand(rows, 4)}


def source_states(model_type: str, head: str, rows: int) -> dict[str, Tensor]:
    """What a decoder with cross-attention attends to when it stands alone."""
    if head != "causal-lm" or "d_model" not in _CONFIGS[model_type] or "decoder_layers" not in _CONFIGS[model_type]:
        return {}
    width = _CONFIGS[model_type]["d_model"]
    return {"encoder_hidden_states": torch.randn(rows, 3, width, generator=torch.Generator().manual_seed(0))}


def optional_inputs(model_type: str, ids: Tensor) -> dict[str, Tensor]:
    """Inputs without which a call leaves some parameters out."""
    if model_type != "xlnet":
        return {}
    length = ids.shape[-1]
    everywhere = torch.eye(length).expand(ids.numel() // length, length, length)
    return {"token_type_ids": ids % 2, "target_mapping": everywhere}
