"""A tiny configuration of every official architecture, and inputs that it accepts."""

from typing import Any

import torch
from torch import Tensor

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
}


def tiny_config(model_type: str) -> dict[str, Any]:
    """Keys of its ``config.json``: small sizes, no dropout."""
    return dict(_CONFIGS[model_type])


def random_ids(model_type: str, rows: int, length: int, seed: int = 0) -> Tensor:
    """Token ids ``(rows, length)`` without the smallest, which are often special."""
    config = _CONFIGS[model_type]
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(5, config["vocab_size"] - 1, (rows, length), generator=generator)
