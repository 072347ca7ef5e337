"""Funnel's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from tfx_core.errors import ConfigError, shown
from tfx_core.fields import Between, Count, Epsilon, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation
from tfx_encoders.funnel.pooling import PoolingKind

MOST_BLOCKS = 32
"""Beyond it there is no text that could be pooled so often, nor a number for the tokens of a state."""

_DEPTH = "it is the sum of block_sizes, which can be given"


@dataclass(kw_only=True)
class FunnelConfig(ModelConfig):
    """Keys of a Funnel Transformer's ``config.json``; the defaults are the small released model (Dai et al. 2020)."""

    model_type: ClassVar[str] = "funnel"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "d_model",
        "intermediate_size": "d_inner",
        "num_attention_heads": "n_head",
    }
    absent: ClassVar[Mapping[str, str]] = {
        "max_position_embeddings": "texts have no longest length here",
        "num_hidden_layers": _DEPTH,
    }
    inert_keys: ClassVar[Collection[str]] = ("type_vocab_size",)

    vocab_size: Size = 30522
    """Number of tokens."""
    block_sizes: tuple[Size, ...] = (4, 4, 4)
    """Number of layers in each block; every block but the first begins with a pooling."""
    block_repeats: tuple[Annotated[int, Between(1, 1000)], ...] | None = None
    """For each block how many times every layer of it runs, one after another; once unless set."""
    num_decoder_layers: Count = 2
    """Layers over the up-sampled states, in a model with a decoder."""
    d_model: Size = 768
    """Width of the hidden states."""
    n_head: Size = 12
    """Attention heads of each layer."""
    d_head: Size = 64
    """Width of one head."""
    d_inner: Size = 3072
    """Width of the feed-forward layers."""
    hidden_act: Activation = "gelu_new"
    """Activation of the feed-forward layers and of the discriminator."""
    hidden_dropout: Rate = 0.1
    """Dropout of embeddings, positions and every sublayer's output, and before the classifiers."""
    attention_dropout: Rate = 0.1
    """Dropout of the attention weights."""
    activation_dropout: Rate = 0.0
    """Dropout within the feed-forward layers."""
    initializer_range: Positive = 0.1
    """Upper bound of a new model's vectors of positions and segments."""
    initializer_std: Positive | None = None
    """Standard deviation of its other weights; by default 1 for tokens, and of a layer ``1/√(inputs + outputs)``."""
    layer_norm_eps: Epsilon = 1e-9
    """Added to the variance in every layer norm."""
    pooling_type: PoolingKind = "mean"
    """What a pooled state is of two neighbours: their mean, their maximum, or the first of them."""
    attention_type: Literal["relative_shift", "factorized"] = "relative_shift"
    """How relative positions are computed: by a key for each distance, or by sines of both places; the results agree.

    The second takes less memory where a text has more tokens than half of the states' width.
    """
    separate_cls: bool = True
    """Whether the first token is kept out of pooling, and attends, and is attended to, by its content alone."""
    truncate_seq: bool = True
    """With ``separate_cls``, whether pooling leaves out the last state, so that powers of two stay such."""
    pool_q_only: bool = True
    """Whether pooled queries read the states before pooling; else they read pooled ones."""

    def validate(self) -> None:
        """There are blocks, and as many repeats; sines and cosines share the width."""
        if "num_hidden_layers" in self.extra:  # with which the reference reads no file either
            raise ConfigError(f"num_hidden_layers={shown(self.extra['num_hidden_layers'])}: must be left out: {_DEPTH}")
        self.require(
            0 < len(self.block_sizes) <= MOST_BLOCKS,
            "block_sizes",
            f"the number of layers of at least one block, and of {MOST_BLOCKS} at most",
        )
        self.require(
            len(self.repeats) == len(self.block_sizes),
            "block_repeats",
            f"a number for each of the {len(self.block_sizes)} blocks of block_sizes={list(self.block_sizes)}",
        )
        self.require(self.d_model % 2 == 0, "d_model", "even, for sines and cosines")
        self.require(not self.is_decoder, "is_decoder", "false: a pooled state sees the tokens that follow")
        self.require(
            self.pad_token_id is None or 0 <= self.pad_token_id < self.vocab_size,
            "pad_token_id",
            f"an id below vocab_size={self.vocab_size}",
        )

    @property
    def num_hidden_layers(self) -> int:
        """Number of layers, those of the decoder left out."""
        return sum(self.block_sizes)

    @property
    def num_blocks(self) -> int:
        """Number of blocks."""
        return len(self.block_sizes)

    @property
    def repeats(self) -> tuple[int, ...]:
        """For each block how many times every layer of it runs."""
        return (1,) * self.num_blocks if self.block_repeats is None else self.block_repeats
