"""ALBERT's configuration."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, ClassVar

from tfx_core.fields import Between, Rate, Size
from tfx_core.nn import Activation
from tfx_encoders.post_norm import PostNormConfig

MOST_LAYERS = 1000
"""Layers that share their weights take no memory, but each of them takes time."""


@dataclass(kw_only=True)
class AlbertConfig(PostNormConfig):
    """Keys of an ALBERT's ``config.json``; the defaults are ALBERT-xxlarge, version 2 (Lan et al. 2020)."""

    model_type: ClassVar[str] = "albert"
    # of the first released files; no code ever read them
    inert_keys: ClassVar[Collection[str]] = (
        "down_scale_factor", "gap_size", "layers_to_keep", "net_structure_type", "num_memory_blocks",
    )  # fmt: skip

    vocab_size: Size = 30000
    """Number of tokens."""
    embedding_size: Size = 128
    """Width of the token, position and segment vectors."""
    hidden_size: Size = 4096
    """Width of the hidden states."""
    num_hidden_layers: Annotated[int, Between(0, MOST_LAYERS)] = 12
    """Number of layers, those that share their weights counted each."""
    num_hidden_groups: Size = 1
    """Number of groups into which these are divided; the layers of a group are one and the same."""
    inner_group_num: Annotated[int, Between(1, MOST_LAYERS)] = 1
    """Number of attention and feed-forward blocks that a layer has, each with weights of its own."""
    num_attention_heads: Size = 64
    """Attention heads of each block; together as wide as the hidden states."""
    intermediate_size: Size = 16384
    """Width of the feed-forward layers."""
    hidden_act: Activation = "gelu_new"
    """Activation of the feed-forward layers and of the masked-language-model head."""
    hidden_dropout_prob: Rate = 0.0
    """Dropout of the embeddings and of each sublayer's output."""
    attention_probs_dropout_prob: Rate = 0.0
    """Dropout of the attention weights."""
    classifier_dropout_prob: Rate | None = 0.1
    """Dropout before the classifiers, unless ``classifier_dropout``, BERT's name of the key, says another."""
    bos_token_id: int | None = 2
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 3
    """Id that ends a text."""

    def validate(self) -> None:
        """Groups are of one size, and the model is an encoder."""
        super().validate()
        self.require(
            self.num_hidden_layers % self.num_hidden_groups == 0,
            "num_hidden_groups",
            f"a divisor of num_hidden_layers={self.num_hidden_layers}",
        )
        self.require(not self.is_decoder, "is_decoder", "false: an ALBERT has no causal form")

    @property
    def prunable(self) -> tuple[int, int]:
        """The blocks of all groups, one after another, and their heads."""
        return self.num_hidden_groups * self.inner_group_num, self.num_attention_heads

    @property
    def head_dropout(self) -> float:
        """Dropout before the classifiers."""
        own = self.classifier_dropout_prob
        return super().head_dropout if own is None or self.classifier_dropout is not None else own
