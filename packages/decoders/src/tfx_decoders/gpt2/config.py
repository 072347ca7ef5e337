"""GPT-2's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tfx_core.fields import Count, Epsilon, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation


@dataclass(kw_only=True)
class GPT2Config(ModelConfig):
    """Keys of a GPT-2's ``config.json``; the defaults are the smallest released model (Radford et al. 2019)."""

    model_type: ClassVar[str] = "gpt2"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "n_embd",
        "intermediate_size": "n_inner",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    inert_keys: ClassVar[Collection[str]] = ("n_ctx", "predict_special_tokens")
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {"summary_last_dropout": (0,)}

    vocab_size: Size = 50257
    """Number of tokens."""
    n_positions: Size = 1024
    """Longest text, in tokens."""
    n_embd: Size = 768
    """Width of the hidden states."""
    n_layer: Count = 12
    """Number of layers."""
    n_head: Size = 12
    """Attention heads of each layer; together as wide as the hidden states."""
    n_inner: Size | None = None
    """Width of the feed-forward layers; by default four times the hidden states'."""
    activation_function: Activation = "gelu_new"
    """Activation of the feed-forward layers."""
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
    scale_attn_weights: bool = True
    """Whether attention scores are divided by the root of the head's width."""
    scale_attn_by_inverse_layer_idx: bool = False
    """Whether layer ``i`` (from 1) divides its attention scores by ``i`` as well."""
    reorder_and_upcast_attn: bool = False
    """Whether attention scores are computed in float32, scaled before the product."""
    summary_type: Literal["last", "first", "mean", "cls_index"] = "cls_index"
    """Which state the multiple-choice head reads; ``cls_index`` is the token that ``mc_token_ids`` names."""
    summary_use_proj: bool = True
    """Whether that head projects the state."""
    summary_activation: Literal["tanh"] | None = None
    """Activation after the projection."""
    summary_proj_to_labels: bool = True
    """Whether it projects to ``num_labels`` scores or to a state as wide as the hidden ones."""
    summary_first_dropout: Rate = 0.1
    """Dropout before the projection."""
    classifier_dropout: Rate | None = None
    """Dropout before the token classifier, by default ``hidden_dropout``, else 0.1."""
    hidden_dropout: Rate | None = None
    """Another key for the same."""
    bos_token_id: int | None = 50256
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 50256
    """Id that ends a text."""

    def validate(self) -> None:
        """Heads divide the hidden size."""
        self.require(self.n_embd % self.n_head == 0, "n_head", f"a divisor of n_embd={self.n_embd}")

    @property
    def prunable(self) -> tuple[int, int]:
        """All layers and heads."""
        return self.n_layer, self.n_head

    @property
    def intermediate_size(self) -> int:
        """Width of the feed-forward layers."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner
