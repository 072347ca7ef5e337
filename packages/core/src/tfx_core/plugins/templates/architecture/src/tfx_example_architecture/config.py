"""The keys of ``config.json``."""

from dataclasses import dataclass
from typing import ClassVar

import tfx_core
from tfx_core.fields import Count, Epsilon, Positive, Rate, Size
from tfx_core.nn import Activation


@dataclass(kw_only=True)
class ExampleConfig(tfx_core.ModelConfig):
    """Field names are keys, and annotations what is allowed; defaults stand for keys that a file lacks.

    A key that is no field is kept and written back, and a warning names it when a file is loaded. Name other spellings
    of a field in ``aliases``, keys that change no result in ``inert_keys``, and keys that change results and are not
    possible here in ``neutral_values``, with the values that are harmless.
    """

    model_type: ClassVar[str] = "example-architecture"

    vocab_size: Size = 32000
    """Number of tokens."""
    hidden_size: Size = 2048
    """Width of the hidden states."""
    intermediate_size: Size = 5504
    """Width of the feed-forward layers."""
    num_hidden_layers: Count = 16
    """Number of layers."""
    num_attention_heads: Size = 16
    """Heads of the queries."""
    num_key_value_heads: Size | None = None
    """Heads of the keys and values; by default as many as of the queries."""
    hidden_act: Activation = "silu"
    """Activation of the feed-forward layers."""
    max_position_embeddings: Size = 2048
    """Longest text, in tokens."""
    rope_theta: Positive = 10000.0
    """Base of the rotary angles."""
    rms_norm_eps: Epsilon = 1e-6
    """What is added to a mean square before its root."""
    attention_dropout: Rate = 0.0
    """Dropout of attention weights."""
    classifier_dropout: Rate = 0.1
    """Dropout before the token classifier."""
    initializer_range: Positive = 0.02
    """Standard deviation of new weights."""
    tie_word_embeddings: bool = False
    """Whether the output layer is the table of embeddings."""
    bos_token_id: int | None = 1
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Id that ends a text."""

    def validate(self) -> None:
        """Refuse what annotations cannot: how fields must fit each other."""
        width, heads = self.hidden_size, self.num_attention_heads
        self.require(width % (2 * heads) == 0, "num_attention_heads", f"a divisor of hidden_size={width} / 2")
        self.require(heads % self.key_heads == 0, "num_key_value_heads", f"a divisor of num_attention_heads={heads}")

    @property
    def key_heads(self) -> int:
        """Heads of the keys and values."""
        return self.num_attention_heads if self.num_key_value_heads is None else self.num_key_value_heads

    @property
    def key_width(self) -> int:
        """Width of all keys, and of all values."""
        return self.hidden_size // self.num_attention_heads * self.key_heads
