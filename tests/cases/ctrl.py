"""CTRL."""

from typing import Any

import torch

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import BATCH, LENGTH, Case, encoder_inputs
from tfx_testing.vocabularies import continued_bpe

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "n_positions": 40,
    "n_embd": 24,
    "dff": 40,
    "n_layer": 3,
    "n_head": 4,
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "initializer_range": 0.2,  # else the layers are lost beside the scaled embeddings
}
WRITING = ("backbone", "causal-lm")


def with_types(case: Case, generator: torch.Generator) -> Inputs:
    """Types, which are tokens, heads of each layer weakened, and positions that are told."""
    made = encoder_inputs(case, generator)
    types = torch.randint(0, case.config["vocab_size"], made["input_ids"].shape, generator=generator)
    heads = torch.rand(case.config["n_layer"], case.config["n_head"], generator=generator)
    positions = torch.arange(LENGTH).flip(0).expand(BATCH, -1)
    return {**made, "token_type_ids": types, "head_mask": heads, "position_ids": positions}


def far(case: Case, generator: torch.Generator) -> Inputs:
    """Positions that are told, up to 2,000 and beyond."""
    made = encoder_inputs(case, generator)
    return {**made, "position_ids": torch.randint(0, 4000, made["input_ids"].shape, generator=generator)}


def extend(model: Any) -> None:
    """The reference has positions for ``n_positions`` tokens, and fails at a longer text: a longer table."""
    from transformers.models.ctrl.modeling_ctrl import positional_encoding

    base = model.base_model
    base.pos_encoding = positional_encoding(4000, base.d_model_size, torch.float)


def variant(name: str, heads: tuple[str, ...] | None = WRITING, **changes: Any) -> Variant:
    """A variant of the tiny config."""
    own = {key: changes.pop(key) for key in ("inputs",) if key in changes}
    return Variant(name, changes, heads, patch=extend, **own)


CASE = ArchitectureCase(
    "ctrl",
    TINY,
    (
        variant("standard", None),
        variant("types and positions", inputs=with_types),
        variant("far positions", inputs=far),
        variant("odd width", n_embd=21, n_head=3),
        variant("other epsilon", ("backbone",), layer_norm_epsilon=1e-2),
        variant("pruned", pruned_heads={"0": [1, 2], "2": [0]}),
        variant("untied", ("causal-lm",), tie_word_embeddings=False),
        variant("regression", ("sequence-classification",), num_labels=1),
        variant("several labels", ("sequence-classification",), problem_type="multi_label_classification"),
    ),
    compared={"pad_token_id": 0},
    refused=(({"n_head": 5}, "n_head=5: must be a divisor of n_embd=24"),),
    released=lambda: continued_bpe(("<unk>",)),
    tokenizer_json=False,
    unread={"n_positions": "sines have no last position: it says how long the texts of the training were"},
)
