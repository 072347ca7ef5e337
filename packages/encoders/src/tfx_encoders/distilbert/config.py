"""DistilBERT's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Count, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation


@dataclass(kw_only=True)
class DistilBertConfig(ModelConfig):
    """Keys of a DistilBERT's ``config.json``; the defaults are the released models' (Sanh et al. 2019)."""

    model_type: ClassVar[str] = "distilbert"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "dim",
        "intermediate_size": "hidden_dim",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
    }
    # of the first files; no version read it
    inert_keys: ClassVar[Collection[str]] = ("tie_weights_",)

    vocab_size: Size = 30522
    """Number of tokens."""
    dim: Size = 768
    """Width of the hidden states."""
    n_layers: Count = 6
    """Number of layers."""
    n_heads: Size = 12
    """Attention heads of each layer; together as wide as the hidden states."""
    hidden_dim: Size = 3072
    """Width of the feed-forward layers."""
    activation: Activation = "gelu"
    """Activation of the feed-forward layers and of the masked-language-model head."""
    dropout: Rate = 0.1
    """Dropout of the embeddings, of each feed-forward layer's output and before the classifier of tokens."""
    attention_dropout: Rate = 0.1
    """Dropout of the attention weights."""
    qa_dropout: Rate = 0.1
    """Dropout before the scores of an answer's start and end."""
    seq_classif_dropout: Rate = 0.2
    """Dropout before the classifiers of texts and choices."""
    max_position_embeddings: Size = 512
    """Longest input, in tokens."""
    sinusoidal_pos_embds: bool = False
    """Whether the positions are sines and cosines, which are stored but not trained."""
    initializer_range: Positive = 0.02
    """Standard deviation of a new model's weights."""
    pad_token_id: int | None = 0
    """Id of the padding token."""

    def validate(self) -> None:
        """Heads divide the hidden size; the padding token exists; the model is an encoder."""
        self.require(self.dim % self.n_heads == 0, "n_heads", f"a divisor of dim={self.dim}")
        self.require(
            self.pad_token_id is None or 0 <= self.pad_token_id < self.vocab_size,
            "pad_token_id",
            f"an id below vocab_size={self.vocab_size}",
        )
        self.require(not self.is_decoder, "is_decoder", "false: a DistilBERT has no causal form")

    @property
    def prunable(self) -> tuple[int, int]:
        """All layers and heads."""
        return self.n_layers, self.n_heads
