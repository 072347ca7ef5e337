"""What the configs of the post-norm encoders have in common."""

from dataclasses import dataclass
from typing import Literal

from tfx_core.fields import Count, Epsilon, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation


@dataclass(kw_only=True)
class PostNormConfig(ModelConfig):
    """Keys that BERT and its descendants have in common; the defaults are BERT-base's (Devlin et al. 2019)."""

    vocab_size: Size = 30522
    """Number of tokens."""
    hidden_size: Size = 768
    """Width of the hidden states."""
    num_hidden_layers: Count = 12
    """Number of layers."""
    num_attention_heads: Size = 12
    """Attention heads of each layer; together as wide as the hidden states."""
    intermediate_size: Size = 3072
    """Width of the feed-forward layers."""
    hidden_act: Activation = "gelu"
    """Activation of the feed-forward layers and of the masked-language-model head."""
    hidden_dropout_prob: Rate = 0.1
    """Dropout of the embeddings, of each sublayer's output and, unless set, before the classifiers."""
    attention_probs_dropout_prob: Rate = 0.1
    """Dropout of the attention weights."""
    max_position_embeddings: Size = 512
    """Longest input, in tokens."""
    type_vocab_size: Size = 2
    """Number of token types (segments)."""
    initializer_range: Positive = 0.02
    """Standard deviation of a new model's weights."""
    layer_norm_eps: Epsilon = 1e-12
    """Added to the variance in every layer norm."""
    position_embedding_type: Literal["absolute", "relative_key", "relative_key_query"] = "absolute"
    """Learned positions, added to the embeddings, or relative ones in attention (Shaw 2018; Huang 2020, method 4)."""
    classifier_dropout: Rate | None = None
    """Dropout before the classifiers."""
    pad_token_id: int | None = 0
    """Id of the padding token."""

    def validate(self) -> None:
        """Heads divide the hidden size; the padding token exists."""
        self.require(
            self.hidden_size % self.num_attention_heads == 0,
            "num_attention_heads",
            f"a divisor of hidden_size={self.hidden_size}",
        )
        self.require(
            self.pad_token_id is None or 0 <= self.pad_token_id < self.vocab_size,
            "pad_token_id",
            f"an id below vocab_size={self.vocab_size}",
        )

    @property
    def prunable(self) -> tuple[int, int] | None:
        """All layers and heads."""
        return self.num_hidden_layers, self.num_attention_heads

    @property
    def head_dropout(self) -> float:
        """Dropout before the classifiers."""
        return self.hidden_dropout_prob if self.classifier_dropout is None else self.classifier_dropout
