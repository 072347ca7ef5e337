"""What the configs of BART and its relatives have in common."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from tfx_core.fields import Count, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation


@dataclass(kw_only=True)
class BartKinConfig(ModelConfig):
    """Keys that BART and its relatives have in common; the defaults are BART-large's (Lewis et al. 2020)."""

    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "d_model",
        "intermediate_size": "encoder_ffn_dim",
        "num_hidden_layers": "encoder_layers",
        "num_attention_heads": "encoder_attention_heads",
    }

    vocab_size: Size = 50265
    """Number of tokens."""
    max_position_embeddings: Size = 1024
    """Longest source and longest target, in tokens."""
    d_model: Size = 1024
    """Width of the hidden states."""
    encoder_layers: Count = 12
    """Number of encoder layers."""
    encoder_attention_heads: Size = 16
    """Attention heads of each encoder layer."""
    encoder_ffn_dim: Size = 4096
    """Width of the encoder's feed-forward layers."""
    decoder_layers: Count = 12
    """Number of decoder layers."""
    decoder_attention_heads: Size = 16
    """Attention heads of each decoder layer."""
    decoder_ffn_dim: Size = 4096
    """Width of the decoder's feed-forward layers."""
    encoder_layerdrop: Rate = 0.0
    """Probability of leaving an encoder layer out while training."""
    decoder_layerdrop: Rate = 0.0
    """Probability of leaving a decoder layer out while training."""
    activation_function: Activation = "gelu"
    """Activation of the feed-forward layers."""
    dropout: Rate = 0.1
    """Dropout of the embeddings and of each sublayer's output."""
    attention_dropout: Rate = 0.0
    """Dropout of the attention weights."""
    activation_dropout: Rate = 0.0
    """Dropout inside the feed-forward layers."""
    init_std: Positive = 0.02
    """Standard deviation of a new model's weights."""
    scale_embedding: bool = False
    """Whether token embeddings are multiplied by the root of their width."""
    is_encoder_decoder: bool = True
    """Whether the model has an encoder and a decoder."""
    pad_token_id: int | None = 1
    """Id of the padding token."""
    bos_token_id: int | None = 0
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Id that ends a text."""
    decoder_start_token_id: int | None = 2
    """Id with which the decoder begins."""

    def validate(self) -> None:
        """Heads divide the width; ids of special tokens exist."""
        for key in ("encoder_attention_heads", "decoder_attention_heads"):
            self.require(self.d_model % getattr(self, key) == 0, key, f"a divisor of d_model={self.d_model}")
        self.require(
            self.pad_token_id is None or 0 <= self.pad_token_id < self.vocab_size,
            "pad_token_id",
            f"an id below vocab_size={self.vocab_size}",
        )

    @property
    def target_vocab_size(self) -> int:
        """Number of tokens that are written."""
        size: int = getattr(self, self.target_vocabulary)
        return size

    def alone(self) -> Self:
        """The config of the decoder without its encoder."""
        return self.replace(is_decoder=True, is_encoder_decoder=False)

    @property
    def embedding_scale(self) -> float:
        """What token embeddings are multiplied by."""
        return math.sqrt(self.d_model) if self.scale_embedding else 1.0
