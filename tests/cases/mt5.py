"""mT5."""

from dataclasses import replace

from tests.cases import Variant, t5

CASE = replace(
    t5.CASE,
    tiny={**t5.TINY, "feed_forward_proj": "gated-gelu"},
    variants=(
        Variant("standard"),
        Variant("tied", {"tie_word_embeddings": True}),
        Variant("not gated", {"feed_forward_proj": "relu"}),
        Variant("gated silu", {"feed_forward_proj": "gated-silu"}, heads=("conditional-generation",)),
        Variant("as many layers", {"num_decoder_layers": None}, heads=("backbone",)),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
    ),
)
