"""GPT-2."""

from tests.models.tiny import tiny_config
from tests.parity.case import Variant

TINY = {**tiny_config("gpt2"), "num_labels": 3, "pad_token_id": 0}

VARIANTS = (
    Variant("standard", TINY),
    Variant("default width", {**TINY, "n_inner": None, "activation_function": "relu"}, heads=("backbone",)),
    Variant("inverse layer scale", {**TINY, "scale_attn_by_inverse_layer_idx": True}, heads=("causal-lm",)),
    Variant("unscaled", {**TINY, "scale_attn_weights": False}, heads=("causal-lm",)),
    Variant("upcast", {**TINY, "reorder_and_upcast_attn": True}, heads=("backbone", "causal-lm")),
    Variant(
        "upcast and scaled",
        {**TINY, "reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True},
        heads=("causal-lm",),
    ),
    Variant("pruned", {**TINY, "pruned_heads": {"0": [1, 2], "2": [0]}}, heads=("backbone", "causal-lm")),
    Variant("untied", {**TINY, "tie_word_embeddings": False}, heads=("causal-lm", "double-heads")),
    Variant("cross-attention", {**TINY, "add_cross_attention": True}, heads=("backbone", "causal-lm"), source_width=24),
    Variant("activated summary", {**TINY, "summary_activation": "tanh"}, heads=("double-heads",)),
    Variant("regression", {**TINY, "num_labels": 1}, heads=("sequence-classification",)),
    Variant(
        "several labels", {**TINY, "problem_type": "multi_label_classification"}, heads=("sequence-classification",)
    ),
)
