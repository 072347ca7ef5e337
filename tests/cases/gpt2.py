"""GPT-2."""

from typing import Any

from tests.cases.xlnet import summarise_real_tokens
from tfx_testing.cases import ArchitectureCase, Variant
from tfx_testing.vocabularies import byte_bpe

TINY: dict[str, Any] = {
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
}


def summarise_texts(model: Any) -> None:
    """As `summarise_real_tokens` of the choices."""
    summarise_real_tokens(model, "multiple_choice_head")


SUMMARIES = tuple(
    Variant(f"{kind} summary", {"summary_type": kind, **changes}, heads=("double-heads",), patch=summarise_texts)
    for kind, changes in (("last", {}), ("first", {"summary_activation": "gelu"}), ("mean", {}))
)

CASE = ArchitectureCase(
    "gpt2",
    TINY,
    (
        Variant("standard"),
        Variant("default width", {"n_inner": None, "activation_function": "relu"}, heads=("backbone",)),
        Variant("inverse layer scale", {"scale_attn_by_inverse_layer_idx": True}, heads=("causal-lm",)),
        Variant("unscaled", {"scale_attn_weights": False}, heads=("causal-lm",)),
        Variant("upcast", {"reorder_and_upcast_attn": True}, heads=("backbone", "causal-lm")),
        Variant(
            "upcast and scaled",
            {"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True},
            heads=("causal-lm",),
        ),
        Variant("pruned", {"pruned_heads": {"0": [1, 2], "2": [0]}}, heads=("backbone", "causal-lm")),
        Variant("pruned from the end", {"pruned_heads": {"1": [-1, 0]}}, heads=("backbone",)),
        Variant("untied", {"tie_word_embeddings": False}, heads=("causal-lm", "double-heads")),
        Variant(
            "cross-attention",
            {"add_cross_attention": True},
            heads=("backbone", "causal-lm"),
            source_width=24,
        ),
        Variant("activated summary", {"summary_activation": "tanh"}, heads=("double-heads",)),
        *SUMMARIES,
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
        Variant(
            "several labels",
            {"problem_type": "multi_label_classification"},
            heads=("sequence-classification",),
        ),
    ),
    compared={"pad_token_id": 0},
    released=lambda: byte_bpe((), ("<|endoftext|>",)),
)
