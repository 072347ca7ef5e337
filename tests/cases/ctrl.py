"""CTRL."""

from typing import Any

import torch

from tests.cases import ArchitectureCase, Inputs, Variant
from tests.models.vocabularies import continued_bpe
from tests.parity.case import BATCH, LENGTH, Case, encoder_inputs

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "n_positions": 40,
    "n_embd": 24,
    "dff": 40,
    "n_layer": 3,
    "n_head": 4,
    "resid_pdrop": 0.0,
    "embd_pdrop": 0.0,
}
WRITING = ("backbone", "causal-lm")


def with_types(case: Case, generator: torch.Generator) -> Inputs:
    """Types, which are tokens, heads of each layer weakened, and positions that are told."""
    made = encoder_inputs(case, generator)
    types = torch.randint(0, case.config["vocab_size"], made["input_ids"].shape, generator=generator)
    heads = torch.rand(case.config["n_layer"], case.config["n_head"], generator=generator)
    positions = torch.arange(LENGTH).flip(0).expand(BATCH, -1)
    return {**made, "token_type_ids": types, "head_mask": heads, "position_ids": positions}


CASE = ArchitectureCase(
    TINY,
    (
        Variant("standard"),
        Variant("types and positions", inputs=with_types, heads=WRITING),
        Variant("odd width", {"n_embd": 21, "n_head": 3}, heads=WRITING),
        Variant("other epsilon", {"layer_norm_epsilon": 1e-2}, heads=("backbone",)),
        Variant("pruned", {"pruned_heads": {"0": [1, 2], "2": [0]}}, heads=WRITING),
        Variant("untied", {"tie_word_embeddings": False}, heads=("causal-lm",)),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
        Variant("several labels", {"problem_type": "multi_label_classification"}, heads=("sequence-classification",)),
    ),
    compared={"pad_token_id": 0},
    refused=(({"n_head": 5}, "n_head=5: must be a divisor of n_embd=24"),),
    released=lambda: continued_bpe(("<unk>",)),
)
