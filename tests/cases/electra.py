"""ELECTRA."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tests.cases.bert import with_position_ids, with_tensorflows_names
from tests.cases.xlnet import summarise_real_tokens
from tfx_core.model.heads import IGNORED
from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.vocabularies import word_pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "embedding_size": 16,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "summary_last_dropout": 0.0,
}
CHOICE = ("multiple-choice",)


def labels(head: str, token_labels: Tensor, generator: torch.Generator) -> Inputs | None:
    """Of pretraining: which tokens were replaced."""
    if head != "pretraining":
        return None
    replaced = torch.randint(0, 2, token_labels.shape, generator=generator)
    return {"labels": replaced.masked_fill(token_labels == IGNORED, IGNORED)}


def count_labels(model: Any) -> None:
    """The reference takes the label of a token that does not count for a probability."""
    if not hasattr(model, "discriminator_predictions"):
        return

    def correct(module: Any, args: Any, given: dict[str, Any], output: Any) -> Any:
        if "labels" in given:
            counted = (given["labels"] != IGNORED) & given["attention_mask"].bool()
            wanted = given["labels"][counted].float()
            output.loss = functional.binary_cross_entropy_with_logits(output.logits[counted], wanted)
        return output

    model.register_forward_hook(correct, with_kwargs=True)


def without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the backbone without the model's."""
    return {name.removeprefix("electra."): tensor for name, tensor in tensors.items()}


CASE = ArchitectureCase(
    "electra",
    TINY,
    (
        Variant("projected", patch=count_labels),
        Variant("as wide as the states", {"embedding_size": 24, "hidden_act": "relu"}, patch=count_labels),
        Variant("relative_key", {"position_embedding_type": "relative_key"}, heads=("backbone",)),
        Variant("relative_key_query", {"position_embedding_type": "relative_key_query"}, heads=("causal-lm",)),
        Variant("pruned", {"pruned_heads": {"0": [1, 2], "2": [0]}}, patch=count_labels),
        Variant("untied", {"tie_word_embeddings": False}, heads=("masked-lm", "causal-lm")),
        Variant("decoder", {"is_decoder": True}, heads=("backbone", "causal-lm")),
        Variant(
            "cross-attention",
            {"is_decoder": True, "add_cross_attention": True},
            heads=("backbone", "causal-lm"),
            source_width=24,
        ),
        Variant("last", {"summary_type": "last", "summary_activation": "tanh"}, CHOICE, patch=summarise_real_tokens),
        Variant("mean", {"summary_type": "mean", "summary_activation": None}, CHOICE, patch=summarise_real_tokens),
        Variant("cls index", {"summary_type": "cls_index"}, CHOICE, padded=dict),
        Variant("unprojected", {"summary_use_proj": False}, CHOICE),
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
        "no prefix": without_prefix,
    },
    refused=(
        ({"num_attention_heads": 5}, "num_attention_heads=5: must be a divisor of hidden_size=24"),
        ({"embedding_size": 0}, "embedding_size=0: must be an integer at least 1"),
        ({"summary_type": "attn"}, "summary_type='attn': must be one of 'last'"),
        ({"summary_proj_to_labels": True}, "summary_proj_to_labels=True: must be false"),
    ),
    released=lambda: word_pieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")),
)
