"""T5."""

from tests.models.tiny import tiny_config
from tests.parity.case import Variant, seq2seq_inputs

TINY = {**tiny_config("t5"), "num_labels": 3}

VARIANTS = (
    Variant("standard", TINY, inputs=seq2seq_inputs),
    Variant("gated", {**TINY, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, inputs=seq2seq_inputs),
    Variant(
        "gated silu",
        {**TINY, "feed_forward_proj": "gated-silu"},
        heads=("conditional-generation",),
        inputs=seq2seq_inputs,
    ),
    Variant("as many layers", {**TINY, "num_decoder_layers": None}, heads=("backbone",), inputs=seq2seq_inputs),
    Variant("regression", {**TINY, "num_labels": 1}, heads=("sequence-classification",), inputs=seq2seq_inputs),
)
