"""DistilBERT."""

from typing import Any

from torch import Tensor

from tests.cases.bert import with_position_ids
from tfx_testing.cases import ArchitectureCase, Variant
from tfx_testing.vocabularies import word_pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "dim": 24,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 40,
    "max_position_embeddings": 40,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "qa_dropout": 0.0,
    "seq_classif_dropout": 0.0,
}


def without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of the backbone without the model's."""
    return {name.removeprefix("distilbert."): tensor for name, tensor in tensors.items()}


CASE = ArchitectureCase(
    "distilbert",
    TINY,
    (
        Variant("learned positions"),
        Variant("sinusoidal positions", {"sinusoidal_pos_embds": True, "activation": "relu"}),
        Variant("pruned", {"pruned_heads": {"0": [1, 2], "2": [0]}}),
        Variant("untied", {"tie_word_embeddings": False}, heads=("masked-lm",)),
        Variant("regression", {"num_labels": 1}, heads=("sequence-classification",)),
        Variant(
            "several labels",
            {"problem_type": "multi_label_classification"},
            heads=("sequence-classification",),
        ),
    ),
    layouts={"position_ids (up to 4.30)": with_position_ids, "no prefix": without_prefix},
    refused=(
        ({"n_heads": 5}, "n_heads=5: must be a divisor of dim=24"),
        ({"pad_token_id": 53}, "pad_token_id=53: must be an id below vocab_size=53"),
        ({"is_decoder": True}, "is_decoder=True: must be false: a DistilBERT has no causal form"),
    ),
    released=lambda: word_pieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")),
)
