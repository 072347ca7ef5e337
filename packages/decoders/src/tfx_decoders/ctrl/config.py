"""CTRL's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Count, Epsilon, Positive, Rate, Size
from tfx_core.model import ModelConfig


@dataclass(kw_only=True)
class CTRLConfig(ModelConfig):
    """Keys of a CTRL's ``config.json``; the defaults are the reference's (Keskar et al. 2019)."""

    model_type: ClassVar[str] = "ctrl"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "n_embd",
        "intermediate_size": "dff",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    inert_keys: ClassVar[Collection[str]] = (
        # attention has no dropout, and no head a summary: earlier versions of the reference wrote their settings
        *("attn_pdrop", "from_tf", "n_ctx", "predict_special_tokens"),
        *("summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"),
    )

    vocab_size: Size = 246534
    """Number of tokens."""
    n_positions: Size = 256
    """Longest text of the training, in tokens; a longer one can be read all the same."""
    n_embd: Size = 1280
    """Width of the hidden states."""
    dff: Size = 8192
    """Width of the feed-forward layers."""
    n_layer: Count = 48
    """Number of layers."""
    n_head: Size = 16
    """Attention heads of each layer; together as wide as the hidden states."""
    resid_pdrop: Rate = 0.1
    """Dropout of each sublayer's output."""
    embd_pdrop: Rate = 0.1
    """Dropout of the embeddings."""
    layer_norm_epsilon: Epsilon = 1e-6
    """Added to the variance in the last layer norm; in those of the layers it is always 1e-6."""
    initializer_range: Positive = 0.02
    """Standard deviation of a new model's weights."""

    def validate(self) -> None:
        """Heads divide the hidden size."""
        self.require(self.n_embd % self.n_head == 0, "n_head", f"a divisor of n_embd={self.n_embd}")

    @property
    def prunable(self) -> tuple[int, int]:
        """All layers and heads."""
        return self.n_layer, self.n_head
