"""What the configs of GPT and GPT-2 have in common."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Count, Epsilon, Positive, Rate, Size
from tfx_core.model.heads import SummaryConfig, SummaryKind


@dataclass(kw_only=True)
class GPTConfig(SummaryConfig):
    """Keys that both have; an architecture's subclass adds its own, and its own defaults."""

    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    inert_keys: ClassVar[Collection[str]] = ("n_ctx", "predict_special_tokens")

    vocab_size: Size
    """Number of tokens."""
    n_positions: Size
    """Longest text, in tokens."""
    n_embd: Size = 768
    """Width of the hidden states."""
    n_layer: Count = 12
    """Number of layers."""
    n_head: Size = 12
    """Attention heads of each layer; together as wide as the hidden states."""
    resid_pdrop: Rate = 0.1
    """Dropout of each sublayer's output."""
    embd_pdrop: Rate = 0.1
    """Dropout of the embeddings."""
    attn_pdrop: Rate = 0.1
    """Dropout of the attention weights."""
    layer_norm_epsilon: Epsilon = 1e-5
    """Added to the variance in every layer norm."""
    initializer_range: Positive = 0.02
    """Standard deviation of a new model's weights."""
    summary_type: SummaryKind = "cls_index"
    """Which state the multiple-choice head reads; ``cls_index`` is the token that ``mc_token_ids`` names."""
    summary_proj_to_labels: bool = True
    """Whether it is projected to a score, not to a state as wide as the hidden ones."""
    summary_first_dropout: Rate = 0.1
    """Dropout before the projection."""

    def validate(self) -> None:
        """Heads divide the hidden size."""
        self.require(self.n_embd % self.n_head == 0, "n_head", f"a divisor of n_embd={self.n_embd}")

    @property
    def prunable(self) -> tuple[int, int]:
        """All layers and heads."""
        return self.n_layer, self.n_head
