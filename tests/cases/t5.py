"""T5."""

from typing import Any

from tfx_testing.cases import ArchitectureCase, Variant
from tfx_testing.parity.case import seq2seq_inputs
from tfx_testing.vocabularies import pieces

TINY: dict[str, Any] = {
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
}

CASE = ArchitectureCase(
    "t5",
    TINY,
    (
        Variant("standard"),
        Variant("gated", {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
        Variant("gated silu", {"feed_forward_proj": "gated-silu"}, heads=("conditional-generation",)),
        Variant("as many layers", {"num_decoder_layers": None}, heads=("backbone",)),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
    ),
    inputs=seq2seq_inputs,
    end_token=1,
    target_heads=("backbone", "conditional-generation"),
    holds_pairs=True,
    released=lambda: pieces(("<pad>", "</s>", "<unk>")),
)
