"""GPT-2's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Rate, Size
from tfx_core.nn import Activation
from tfx_decoders.gpt import GPTConfig


@dataclass(kw_only=True)
class GPT2Config(GPTConfig):
    """Keys of a GPT-2's ``config.json``; the defaults are the smallest released model (Radford et al. 2019)."""

    model_type: ClassVar[str] = "gpt2"
    aliases: ClassVar[Mapping[str, str]] = {**GPTConfig.aliases, "intermediate_size": "n_inner"}

    vocab_size: Size = 50257
    """Number of tokens."""
    n_positions: Size = 1024
    """Longest text, in tokens."""
    n_inner: Size | None = None
    """Width of the feed-forward layers; by default four times the hidden states'."""
    activation_function: Activation = "gelu_new"
    """Activation of the feed-forward layers."""
    scale_attn_weights: bool = True
    """Whether attention scores are divided by the root of the head's width."""
    scale_attn_by_inverse_layer_idx: bool = False
    """Whether layer ``i`` (from 1) divides its attention scores by ``i`` as well."""
    reorder_and_upcast_attn: bool = False
    """Whether attention scores are computed in float32, scaled before the product."""
    classifier_dropout: Rate | None = None
    """Dropout before the token classifier, by default ``hidden_dropout``, else 0.1."""
    hidden_dropout: Rate | None = None
    """Another key for the same."""
    bos_token_id: int | None = 50256
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 50256
    """Id that ends a text."""

    @property
    def intermediate_size(self) -> int:
        """Width of the feed-forward layers."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner
