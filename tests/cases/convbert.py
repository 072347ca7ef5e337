"""ConvBERT."""

from typing import Any

from torch import Tensor

from tests.cases.bert import with_position_ids, with_tensorflows_names
from tests.cases.electra import labels
from tests.cases.xlnet import summarise_real_tokens
from tfx_testing.cases import ArchitectureCase, Variant
from tfx_testing.vocabularies import word_pieces

TINY: dict[str, Any] = {
    "vocab_size": 53,
    "hidden_size": 24,
    "embedding_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "head_ratio": 1,
    "intermediate_size": 40,
    "conv_kernel_size": 5,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def convolve_real_tokens(model: Any) -> None:
    """The reference's convolutions take padding for text, and so do its summaries."""
    summarise_real_tokens(model)
    for module in model.modules():
        if type(module).__name__ == "ConvBertSelfAttention":
            _convolve_real_tokens(module)


def _convolve_real_tokens(attention: Any) -> None:
    real: list[Tensor] = []

    def remember_mask(module: Any, args: Any) -> None:
        real[:] = [(args[1][:, 0, 0] == 0).float()]  # it is added to scores

    def hide_keys(module: Any, args: Any) -> Any:
        return (args[0] * real[0][:, None],)

    def hide_values(module: Any, args: Any, values: Tensor) -> Tensor:
        return values * real[0][..., None]

    attention.register_forward_pre_hook(remember_mask)
    attention.key_conv_attn_layer.register_forward_pre_hook(hide_keys)
    attention.conv_out_layer.register_forward_hook(hide_values)


def variant(name: str, changes: dict[str, Any] | None = None, heads: tuple[str, ...] | None = None) -> Variant:
    return Variant(name, changes or {}, heads, patch=convolve_real_tokens)


CASE = ArchitectureCase(
    "convbert",
    TINY,
    (
        variant("plain"),
        variant("reduced heads", {"head_ratio": 2, "conv_kernel_size": 3, "hidden_act": "gelu_new"}),
        variant("small, in groups", {"embedding_size": 16, "num_groups": 2, "head_ratio": 2}),
        variant("one head left", {"head_ratio": 5, "conv_kernel_size": 1}, ("masked-lm",)),
        variant("kernel longer than the text", {"conv_kernel_size": 33}, ("backbone", "masked-lm")),
        variant("untied", {"tie_word_embeddings": False, "embedding_size": 30}, ("masked-lm",)),
        variant("regression", {"num_labels": 1}, ("sequence-classification",)),
        variant("several labels", {"problem_type": "multi_label_classification"}, ("sequence-classification",)),
        variant(
            "released summary",
            {"summary_type": "first", "summary_use_proj": True, "summary_activation": "gelu"},
            ("multiple-choice",),
        ),
        variant("mean", {"summary_type": "mean"}, ("multiple-choice",)),
        variant("last by index", {"summary_type": "cls_index", "summary_use_proj": True}, ("multiple-choice",)),
    ),
    layouts={
        "gamma and beta (TensorFlow's)": with_tensorflows_names,
        "position_ids (up to 4.30)": with_position_ids,
    },
    refused=(
        ({"num_attention_heads": 5}, "num_attention_heads=5: must be a divisor of hidden_size=24"),
        ({"hidden_size": 20, "head_ratio": 1}, "head_ratio=1: must be such that 4 heads .* share hidden_size=20"),
        ({"conv_kernel_size": 4}, "conv_kernel_size=4: must be odd"),
        ({"num_groups": 16}, "num_groups=16: must be a divisor of hidden_size=24"),
        ({"num_groups": 3}, "num_groups=3: must be a divisor of intermediate_size=40"),
        ({"is_decoder": True}, "is_decoder=True: must be false: a convolution sees the tokens that follow"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type='relative_key': must be"),
        ({"summary_use_proj": True, "summary_proj_to_labels": True}, "summary_proj_to_labels=True: must be false"),
    ),
    labels=labels,
    convolves=True,
    released=lambda: word_pieces(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")),
)
