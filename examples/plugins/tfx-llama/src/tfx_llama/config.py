"""The keys of a Llama's ``config.json``."""

from dataclasses import dataclass
from typing import Any, ClassVar

from tfx_core import ModelConfig
from tfx_core.fields import Count, Epsilon, Positive, Rate, Size
from tfx_core.nn import Activation
from tfx_llama.rotation import Frequencies, frequencies_of


@dataclass(kw_only=True)
class LlamaConfig(ModelConfig):
    """Config of every Llama; the defaults are those of the first one, of 7 billion parameters."""

    model_type: ClassVar[str] = "llama"
    inert_keys: ClassVar[frozenset[str]] = frozenset({"pretraining_tp"})  # how its weights were once computed with
    neutral_values: ClassVar[dict[str, tuple[Any, ...]]] = {"partial_rotary_factor": (1, 1.0)}

    vocab_size: Size = 32000
    """Number of tokens."""
    hidden_size: Size = 4096
    """Width of the states, D."""
    intermediate_size: Size = 11008
    """Width within a feed-forward layer."""
    num_hidden_layers: Count = 32
    """Number of layers."""
    num_attention_heads: Size = 32
    """Number of heads of queries, H."""
    num_key_value_heads: Size | None = None
    """Number of heads of keys and values, G, each for H / G heads of queries; by default H."""
    head_dim: Size | None = None
    """Width of a head; by default D / H."""
    hidden_act: Activation = "silu"
    """Activation of the gate in a feed-forward layer."""
    max_position_embeddings: Size = 2048
    """The longest text, in tokens."""
    initializer_range: Positive = 0.02
    """Standard deviation of new weights."""
    rms_norm_eps: Epsilon = 1e-6
    """What keeps the norms from dividing by zero."""
    rope_theta: Positive = 10000.0
    """Base of the angles by which queries and keys are turned."""
    rope_scaling: dict[str, Any] | None = None
    """How the angles grow more slowly, for longer texts: ``rope_type`` ``"linear"`` or ``"llama3"``."""
    rope_parameters: dict[str, Any] | None = None
    """Both in one, as newer files have them."""
    attention_bias: bool = False
    """Whether the four projections of attention have biases."""
    mlp_bias: bool = False
    """Whether the three layers of the feed-forward have biases."""
    attention_dropout: Rate = 0.0
    """Dropout of attention weights."""
    tie_word_embeddings: bool = False
    """Whether the output layer is the token embeddings."""
    bos_token_id: int | None = 1
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Id, or ids, that end a text."""

    def validate(self) -> None:
        """Sizes that divide each other, and a rotation that this package has."""
        heads = self.num_attention_heads
        if self.head_dim is None:
            self.require(self.hidden_size % heads == 0, "num_attention_heads", f"a divisor of {self.hidden_size}")
        key = "hidden_size" if self.head_dim is None else "head_dim"
        self.require(self.head_width % 2 == 0, key, "such that a head has an even width, for its numbers turn in pairs")
        self.require(heads % self.key_heads == 0, "num_key_value_heads", f"a divisor of num_attention_heads={heads}")
        self.require(
            self.rope_parameters is None or self.rope_scaling is None, "rope_scaling", "null beside rope_parameters"
        )
        frequencies_of(self.rotation)

    @property
    def key_heads(self) -> int:
        """Number of heads of keys and values, G."""
        return self.num_attention_heads if self.num_key_value_heads is None else self.num_key_value_heads

    @property
    def head_width(self) -> int:
        """Width of a head, d."""
        return self.hidden_size // self.num_attention_heads if self.head_dim is None else self.head_dim

    @property
    def rotation(self) -> dict[str, Any]:
        """The parameters of rotary positions, wherever the file has them, as ``rope_parameters`` calls them."""
        return {"rope_theta": self.rope_theta, **(self.rope_scaling or {}), **(self.rope_parameters or {})}

    @property
    def frequencies(self) -> Frequencies | None:
        """What slows the rotation down; ``None`` where nothing does."""
        return frequencies_of(self.rotation)
