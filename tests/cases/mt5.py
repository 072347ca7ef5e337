"""mT5."""

from dataclasses import replace

import torch
from torch import Tensor

from tests.cases import t5
from tfx_testing.cases import Variant


def with_every_table(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the token table under the names of both sides, too, and a bias that cross-attention never had."""
    shared = next(name for name in tensors if name.endswith("shared.weight"))
    prefix = shared.removesuffix("shared.weight")
    sides = {"encoder", "decoder"} if any(name.startswith(f"{prefix}decoder.") for name in tensors) else {"encoder"}
    more = {f"{prefix}{side}.embed_tokens.weight": tensors[shared].clone() for side in sides}
    if "decoder" in sides:
        more[f"{prefix}decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = torch.ones(8, 4)
    return {**more, **tensors}


CASE = replace(
    t5.CASE,
    model_type="mt5",
    tiny={**t5.TINY, "feed_forward_proj": "gated-gelu"},
    variants=(
        Variant("standard"),
        Variant("tied", {"tie_word_embeddings": True}),
        Variant("not gated", {"feed_forward_proj": "relu"}),
        Variant("gated silu", {"feed_forward_proj": "gated-silu"}, heads=("conditional-generation",)),
        Variant("as many layers", {"num_decoder_layers": None}, heads=("backbone",)),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
    ),
    layouts={"a table for each side (.bin)": with_every_table},
    refused=(
        ({"feed_forward_proj": "gated"}, "feed_forward_proj='gated': must be one of "),
        ({"is_gated_act": False}, "is_gated_act=False: must be True for feed_forward_proj='gated-gelu'"),
        ({"relative_attention_num_buckets": 6}, "relative_attention_num_buckets=6: must be divisible by 4"),
    ),
)
