"""Longformer."""

from typing import Any

import torch
from torch import Tensor

from tests.cases.bert import with_an_unread_bias, with_position_ids, with_tensorflows_names
from tests.cases.roberta import TINY as ROBERTA
from tests.cases.roberta import given_positions, with_bias_of_decoder, with_pooler, with_tied_output
from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import Case, encoder_inputs
from tfx_testing.vocabularies import byte_bpe

TINY: dict[str, Any] = {**ROBERTA, "attention_window": 4, "sep_token_id": 2}


def two_texts(case: Case, generator: torch.Generator) -> Inputs:
    """With three separators, as pairs of texts have, for heads that look for them."""
    made = encoder_inputs(case, generator)
    if case.head in ("question-answering", "multiple-choice"):
        separator = case.config["sep_token_id"]
        ids = made["input_ids"].masked_fill(made["input_ids"] == separator, 5)
        for row, end in enumerate((3, 1, 2)):
            ids[row, ..., end : end + 2] = separator
        ids[..., -1] = separator
        made["input_ids"] = ids
    return made


def with_global_tokens(case: Case, generator: torch.Generator) -> Inputs:
    """With global tokens, others in each row and of another number."""
    made = two_texts(case, generator)
    chosen = torch.zeros_like(made["input_ids"])
    chosen[0, ..., [1, 7]], chosen[1, ..., 2] = 1, 1
    if chosen.dim() == 2:
        chosen[2, [0, 3, 4]] = 1
    return {**made, "global_attention_mask": chosen}


def global_tokens(head: str, ids: Tensor) -> Inputs:
    """The first."""
    return {"global_attention_mask": torch.zeros_like(ids).index_fill_(-1, torch.tensor([0]), 1)}


def with_some_heads(case: Case, generator: torch.Generator) -> Inputs:
    """With global tokens, and factors of the heads of each layer."""
    mask = torch.rand(case.config["num_hidden_layers"], case.config["num_attention_heads"], generator=generator)
    return {**with_global_tokens(case, generator), "head_mask": mask}


def as_reported_here(model: Any) -> None:
    """The reference's reports of what global tokens see have rows of the padding that it adds itself.

    Where a row has fewer global tokens than another, those that are not there see everything alike.
    """

    def cut(module: Any, args: Any, output: Any) -> Any:
        if getattr(output, "global_attentions", None) is not None:
            length = output.last_hidden_state.shape[1]
            number = output.global_attentions[0].shape[-1]
            there = [each[:, :, :, :number].sum((1, 2)) > 0 for each in output.attentions]
            output.global_attentions = tuple(
                each[:, :, :length] * some[:, None, None]
                for each, some in zip(output.global_attentions, there, strict=True)
            )
        return output

    model.base_model.register_forward_hook(cut)


def with_the_authors_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the names of RoBERTa, whose attention the authors put their own in the place of."""
    return {
        f"roberta.{name.removeprefix('longformer.')}" if name.startswith("longformer.") else name: tensor
        for name, tensor in tensors.items()
    }


def variant(
    name: str, changes: dict[str, Any] | None = None, heads: tuple[str, ...] | None = None, inputs: Any = None
) -> Variant:
    return Variant(name, changes or {}, heads, inputs=inputs, patch=as_reported_here)


CASE = ArchitectureCase(
    "longformer",
    TINY,
    (
        variant("windows"),
        variant("windows and global tokens", inputs=with_global_tokens),
        variant("factors of heads", {}, ("backbone", "multiple-choice"), with_some_heads),
        variant("a window for each layer", {"attention_window": [4, 8, 4]}, inputs=with_global_tokens),
        variant("a text within the window", {"attention_window": 32, "hidden_act": "gelu_new"}),
        variant("such a text with global tokens", {"attention_window": 24}, inputs=with_global_tokens),
        variant("another padding token", {"pad_token_id": 4, "type_vocab_size": 3, "layer_norm_eps": 1e-3}),
        variant("another separator", {"sep_token_id": 7}, ("question-answering", "multiple-choice")),
        variant("positions that are given", {}, ("backbone", "masked-lm"), given_positions),
        variant("untied", {"tie_word_embeddings": False}, ("masked-lm",)),
        variant("regression", {"num_labels": 1}, ("sequence-classification",)),
        variant("several labels", {"problem_type": "multi_label_classification"}, ("sequence-classification",)),
    ),
    inputs=two_texts,
    end_token=2,
    layouts={
        "gamma and beta (TensorFlow's)": with_tensorflows_names,
        "position_ids (up to 4.30)": with_position_ids,
        "a pooler in every model (up to 3.0)": with_pooler,
        "the output layer's weight and bias twice (.bin)": with_tied_output,
        "the bias as the output layer's": with_bias_of_decoder,
        "two biases of the logits (untied, since 5.0)": with_an_unread_bias,
        "the names of the authors' own code": with_the_authors_names,
    },
    refused=(
        ({"attention_window": 5}, "attention_window=5: must be even: a token sees half of it to either side"),
        ({"attention_window": [4, 4, 3]}, r"attention_window=\(4, 4, 3\): must be even"),
        ({"attention_window": 0}, "attention_window=0: must be .* at least 1"),
        ({"attention_window": [4, 4]}, r"attention_window=\(4, 4\): must be a number, or one for each of num_hidden_"),
        ({"attention_dilation": [1, 2]}, r"attention_dilation=\(1, 2\): must be a number, or one for each of num_"),
        ({"attention_dilation": 0}, "attention_dilation=0: must be .* at least 1"),
        ({"attention_mode": "n2"}, "attention_mode='n2': must be 'longformer'; .* counts one side"),
        ({"sep_token_id": 53}, "sep_token_id=53: must be an id below vocab_size=53"),
        ({"is_decoder": True}, "is_decoder=True: must be false: autoregressive=true is its causal form"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type='relative_key': must be"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads=.*: must be empty: heads of longformer cannot be pruned"),
    ),
    optional_inputs=global_tokens,
    convolves=True,
    weights_by_key=False,
    sparse={"attention_window": 8},
    released=lambda: byte_bpe(("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",)),
)
