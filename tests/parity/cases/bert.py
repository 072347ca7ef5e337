"""BERT."""

from tests.models.tiny import tiny_config
from tests.parity.case import Variant

TINY = {**tiny_config("bert"), "num_labels": 3}

VARIANTS = (
    Variant("absolute", TINY),
    Variant("relative_key", {**TINY, "position_embedding_type": "relative_key", "hidden_act": "gelu_new"}),
    Variant("relative_key_query", {**TINY, "position_embedding_type": "relative_key_query"}),
    Variant("pruned", {**TINY, "pruned_heads": {"0": [1, 2], "2": [0]}}),
    Variant("untied", {**TINY, "tie_word_embeddings": False}, heads=("masked-lm", "causal-lm", "pretraining")),
    Variant("decoder", {**TINY, "is_decoder": True}, heads=("backbone", "causal-lm")),
    Variant(
        "cross-attention",
        {**TINY, "is_decoder": True, "add_cross_attention": True},
        heads=("backbone", "causal-lm"),
        source_width=24,
    ),
    Variant(
        "relative cross-attention",
        {**TINY, "is_decoder": True, "add_cross_attention": True, "position_embedding_type": "relative_key_query"},
        heads=("causal-lm",),
        source_width=24,
    ),
    Variant("regression", {**TINY, "num_labels": 1}, heads=("sequence-classification",)),
    Variant(
        "several labels",
        {**TINY, "problem_type": "multi_label_classification"},
        heads=("sequence-classification",),
    ),
)
