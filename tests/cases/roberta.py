"""RoBERTa."""

from typing import Any

import torch
from torch import Tensor

from tests.cases.bert import TINY as BERT
from tests.cases.bert import pairs, with_an_unread_bias, with_position_ids, with_tensorflows_names
from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import LENGTH, Case, encoder_inputs
from tfx_testing.vocabularies import byte_bpe

TINY: dict[str, Any] = {**BERT, "max_position_embeddings": 42, "type_vocab_size": 2, "pad_token_id": 1}


def given_positions(case: Case, generator: torch.Generator) -> Inputs:
    """With positions in another order, of which the first is 2."""
    made = encoder_inputs(case, generator)
    order = torch.randperm(LENGTH, generator=generator) + 2
    return {**made, "position_ids": order.expand_as(made["input_ids"])}


def with_tied_output(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the output layer's own names of the token vectors and of its bias."""
    if "lm_head.bias" not in tensors:
        return tensors
    table = next(name for name in tensors if name.endswith("embeddings.word_embeddings.weight"))
    tokens, bias = tensors[table].clone(), tensors["lm_head.bias"].clone()
    return {"lm_head.decoder.weight": tokens, "lm_head.decoder.bias": bias, **tensors}


def with_bias_of_decoder(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With that bias under the output layer's name alone."""
    own = with_tied_output(tensors)
    return {name: tensor for name, tensor in own.items() if name != "lm_head.bias"}


def with_pooler(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With a pooler, which every model once had."""
    prefix = next(name for name in tensors if "embeddings." in name).partition("embeddings.")[0]
    unread = {"pooler.dense.weight": torch.ones(24, 24), "pooler.dense.bias": torch.ones(24)}
    return {**{f"{prefix}{name}": tensor for name, tensor in unread.items()}, **tensors}


CASE = ArchitectureCase(
    "roberta",
    TINY,
    (
        Variant("absolute"),
        Variant("relative_key", {"position_embedding_type": "relative_key", "hidden_act": "gelu_new"}),
        Variant("relative_key_query", {"position_embedding_type": "relative_key_query"}),
        Variant("another padding token", {"pad_token_id": 4, "type_vocab_size": 3, "layer_norm_eps": 1e-3}),
        Variant("positions that are given", heads=("backbone", "multiple-choice"), inputs=given_positions),
        Variant("pruned", {"pruned_heads": {"0": [1, 2], "2": [0]}}),
        Variant("untied", {"tie_word_embeddings": False}, heads=("masked-lm", "causal-lm")),
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
            {"is_decoder": True, "add_cross_attention": True, "position_embedding_type": "relative_key_query"},
            heads=("causal-lm",),
            source_width=24,
        ),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
        Variant("several labels", {"problem_type": "multi_label_classification"}, heads=("sequence-classification",)),
    ),
    layouts={
        "gamma and beta": with_tensorflows_names,
        "position_ids (up to 4.30)": with_position_ids,
        "a pooler in every model (up to 3.0)": with_pooler,
        "the output layer's weight and bias twice (.bin)": with_tied_output,
        "the bias as the output layer's": with_bias_of_decoder,
        "two biases of the logits (untied, since 5.0)": with_an_unread_bias,
    },
    refused=(
        ({"pad_token_id": None}, "pad_token_id=None: must be an id: positions begin at the one after it"),
        ({"pad_token_id": 53}, "pad_token_id=53: must be an id below vocab_size=53"),
        ({"max_position_embeddings": 2}, r"max_position_embeddings=2: must be more than pad_token_id \+ 1 = 2"),
    ),
    released=lambda: byte_bpe(("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",)),
)
