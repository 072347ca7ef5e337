"""ALBERT."""

from typing import Any

import torch
from torch import Tensor

from tests.cases.bert import with_an_unfilled_bias, with_an_unread_bias, with_position_ids, with_tensorflows_names
from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.vocabularies import pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "embedding_size": 16,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "inner_group_num": 2,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "classifier_dropout_prob": 0.0,
}


def labels(head: str, token_labels: Tensor, generator: torch.Generator) -> Inputs | None:
    """Of pretraining: masked tokens and whether the sentences are swapped."""
    if head != "pretraining":
        return None
    return {
        "labels": token_labels,
        "sentence_order_label": torch.randint(0, 2, (len(token_labels),), generator=generator),
    }


def with_a_pooler(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With a pooler, whether the head reads one or not: the released models, whose head is masked-lm, have it."""
    prefix = "albert." if any(name.startswith("albert.") for name in tensors) else ""
    pooler = {f"{prefix}pooler.weight": torch.ones(24, 24), f"{prefix}pooler.bias": torch.ones(24)}
    return {**pooler, **tensors}


def with_one_bias(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The logits' bias under one name."""
    return {name: tensor for name, tensor in tensors.items() if name != "predictions.decoder.bias"}


CASE = ArchitectureCase(
    "albert",
    TINY,
    (
        Variant("shared"),
        Variant("one block", {"inner_group_num": 1, "num_hidden_layers": 3}),
        Variant("groups", {"num_hidden_layers": 6, "num_hidden_groups": 3}),
        Variant("unshared", {"num_hidden_groups": 2, "inner_group_num": 1, "hidden_act": "relu"}, ("backbone",)),
        Variant("wide embedding", {"embedding_size": 24}),
        Variant("relative_key", {"position_embedding_type": "relative_key", "hidden_act": "gelu"}),
        Variant("relative_key_query", {"position_embedding_type": "relative_key_query"}),
        Variant("pruned", {"num_hidden_layers": 4, "num_hidden_groups": 2, "pruned_heads": {"1": [1, 2], "2": [0]}}),
        Variant("untied", {"tie_word_embeddings": False}, heads=("masked-lm", "pretraining")),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
        Variant("several labels", {"problem_type": "multi_label_classification"}, heads=("sequence-classification",)),
    ),
    labels=labels,
    layouts={
        "gamma and beta (first conversions)": with_tensorflows_names,
        "position_ids (up to 4.30)": with_position_ids,
        "a pooler (all released models)": with_a_pooler,
        "one bias of the logits (without the other name of it)": with_one_bias,
        "two biases of the logits (up to 2.3)": with_an_unfilled_bias,
        "two biases of the logits (untied, since 5.0)": with_an_unread_bias,
    },
    refused=(
        ({"num_attention_heads": 5}, "num_attention_heads=5: must be a divisor of hidden_size=24"),
        ({"num_hidden_groups": 4}, "num_hidden_groups=4: must be a divisor of num_hidden_layers=2"),
        ({"num_hidden_layers": 3, "num_hidden_groups": 2}, "num_hidden_groups=2: must be a divisor of num_hidden_lay"),
        ({"num_hidden_groups": 0}, "num_hidden_groups=0: must be an integer at least 1"),
        ({"inner_group_num": 10**9}, "inner_group_num=1000000000: must be an integer from 1 to 1000"),
        ({"is_decoder": True}, "is_decoder=True: must be false: an ALBERT has no causal form"),
        ({"position_embedding_type": "rotary"}, "position_embedding_type='rotary': must be one of 'absolute'"),
    ),
    released=lambda: pieces(("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")),
)
