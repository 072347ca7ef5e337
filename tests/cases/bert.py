"""BERT."""

from typing import Any

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import BATCH, LENGTH, Case, encoder_inputs
from tfx_testing.vocabularies import word_pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def pairs(case: Case, generator: torch.Generator) -> Inputs:
    """With a mask of pairs, which says also of a decoder all that its tokens see, later ones included."""
    made = encoder_inputs(case, generator)
    mask = torch.rand(BATCH, LENGTH, LENGTH, generator=generator) > 0.3
    made["attention_mask"] = (mask | torch.eye(LENGTH, dtype=torch.bool)).long()
    return made


def labels(head: str, token_labels: Tensor, generator: torch.Generator) -> Inputs | None:
    """Of pretraining: masked tokens and whether the second sentence follows."""
    if head != "pretraining":
        return None
    return {
        "labels": token_labels,
        "next_sentence_label": torch.randint(0, 2, (len(token_labels),), generator=generator),
    }


def with_tensorflows_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The norms as TensorFlow's code calls them."""
    ends = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, tensor in tensors.items():
        end = next((end for end in ends if name.endswith(end)), "")
        renamed[name.removesuffix(end) + ends.get(end, "")] = tensor
    return renamed


def with_position_ids(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the numbers of the positions, which were once a buffer."""
    prefix = next(name for name in tensors if "embeddings." in name).partition("embeddings.")[0]
    return {**tensors, f"{prefix}embeddings.position_ids": torch.arange(40)[None]}


def with_an_unfilled_bias(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The output layer with a bias of its own that was never filled, beside the logits' bias."""
    own = {name: torch.zeros_like(tensor) for name, tensor in tensors.items() if name.endswith("decoder.bias")}
    return {**tensors, **own}


def with_an_unread_bias(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same, of which the other was never filled, since nothing reads it."""
    filled = [name for name in tensors if name.endswith("decoder.bias")]
    unread = {name.replace("decoder.bias", "bias"): torch.zeros_like(tensors[name]) for name in filled}
    return {**tensors, **unread}


CASE = ArchitectureCase(
    "bert",
    TINY,
    (
        Variant("absolute"),
        Variant("relative_key", {"position_embedding_type": "relative_key", "hidden_act": "gelu_new"}),
        Variant("relative_key_query", {"position_embedding_type": "relative_key_query"}),
        Variant("pruned", {"pruned_heads": {"0": [1, 2], "2": [0]}}),
        Variant("pruned from the end", {"pruned_heads": {"1": [-1, 0]}}, heads=("backbone",)),
        Variant("untied", {"tie_word_embeddings": False}, heads=("masked-lm", "causal-lm", "pretraining")),
        Variant("decoder", {"is_decoder": True}, heads=("backbone", "causal-lm")),
        Variant("decoder, pairs", {"is_decoder": True}, ("backbone", "causal-lm"), inputs=pairs, padded=dict),
        Variant(
            "cross-attention",
            {"is_decoder": True, "add_cross_attention": True},
            heads=("backbone", "causal-lm"),
            source_width=24,
        ),
        Variant(
            "relative cross-attention",
            {
                "is_decoder": True,
                "add_cross_attention": True,
                "position_embedding_type": "relative_key_query",
            },
            heads=("causal-lm",),
            source_width=24,
        ),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
        Variant(
            "several labels",
            {"problem_type": "multi_label_classification"},
            heads=("sequence-classification",),
        ),
    ),
    labels=labels,
    layouts={
        "gamma and beta (first conversions)": with_tensorflows_names,
        "position_ids (up to 4.30)": with_position_ids,
        "two biases of the logits (untied, since 5.0)": with_an_unread_bias,
    },
    refused=(
        ({"num_attention_heads": 5}, "num_attention_heads=5: must be a divisor of hidden_size=24"),
        ({"position_embedding_type": "rotary"}, "position_embedding_type='rotary': must be one of 'absolute'"),
    ),
    released=lambda: word_pieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")),
)
