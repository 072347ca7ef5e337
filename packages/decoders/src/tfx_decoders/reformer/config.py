"""Reformer's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import lcm, prod
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from tfx_core.fields import Count, Epsilon, NotEmpty, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation

AttentionKind: TypeAlias = Literal["lsh", "local"]
Axes: TypeAlias = Annotated[tuple[Size, ...], NotEmpty()]


@dataclass(kw_only=True)
class ReformerConfig(ModelConfig):
    """Keys of a Reformer's ``config.json`` (Kitaev et al. 2020).

    The defaults are what the reference takes for a key that a file lacks. A text may be as long as there are positions:
    ``max_position_embeddings``, and the product of ``axial_pos_shape`` where positions are axial.
    """

    model_type: ClassVar[str] = "reformer"
    aliases: ClassVar[Mapping[str, str]] = {"intermediate_size": "feed_forward_size"}
    inert_keys: ClassVar[Collection[str]] = {
        # of the first released files, before attention of both kinds had keys of its own
        "attention_probs_dropout_prob", "num_chunks_before", "num_chunks_after",
    }  # fmt: skip
    neutral_values: ClassVar[Mapping[str, Collection[Any]]] = {"sinusoidal_pos_embds": (False,)}

    vocab_size: Size = 320
    """Number of tokens."""
    hidden_size: Size = 256
    """Width ``D`` of each of the two streams; states are both, ``2·D`` wide."""
    num_hidden_layers: Count | None = None
    """Number of layers: as many as ``attn_layers`` names, or the first ones of them."""
    num_attention_heads: Size = 12
    """Attention heads of each layer."""
    attention_head_size: Size = 64
    """Width of one head."""
    feed_forward_size: Size = 512
    """Width of the feed-forward layers."""
    hidden_act: Activation = "relu"
    """Activation of the feed-forward layers."""
    chunk_size_feed_forward: Count = 0
    """Tokens that the feed-forward layers compute at a time; all if 0."""
    chunk_size_lm_head: Count = 0
    """Tokens of which the language models predict the next at a time; all if 0."""
    max_position_embeddings: Size = 4096
    """Most tokens of a text, and rows of the position table where positions are not axial."""
    axial_pos_embds: bool = True
    """Whether positions are axial: a place's vector is put together out of those of its place along each axis."""
    axial_pos_shape: Axes = (64, 64)
    """Places along each axis; a text has at most as many tokens as their product."""
    axial_pos_embds_dim: Axes = (64, 192)
    """Width of each axis' vectors; together ``hidden_size``."""
    axial_norm_std: Positive = 1.0
    """Standard deviation of a new model's axial positions."""
    attn_layers: Annotated[tuple[AttentionKind, ...], NotEmpty()] = ("local", "lsh", "local", "lsh", "local", "lsh")
    """Kind of attention of each layer: among tokens of like hashes, or among neighbours."""
    lsh_attn_chunk_length: Size = 64
    """Tokens of a chunk of the sorted text, see `tfx_core.nn.HashedAttention`; a text so long attends to all of it."""
    lsh_num_chunks_before: Count = 1
    """Chunks before its own that a token attends to."""
    lsh_num_chunks_after: Count = 0
    """Chunks after its own that it attends to."""
    lsh_attention_probs_dropout_prob: Rate = 0.0
    """Dropout of the weights of hashed attention."""
    local_attn_chunk_length: Size = 64
    """Tokens of a chunk of the text; a text so long attends to all of it."""
    local_num_chunks_before: Count = 1
    """Chunks before its own that a token attends to."""
    local_num_chunks_after: Count = 0
    """Chunks after its own that it attends to."""
    local_attention_probs_dropout_prob: Rate = 0.05
    """Dropout of the weights of local attention."""
    num_buckets: Size | Axes | None = None
    """Hashes that there are, even; several numbers are factors, each even; by default chosen by a text's length."""
    num_hashes: Size = 1
    """Rounds of hashing; more find more of the tokens that are alike, and take more time and memory."""
    hash_seed: int | None = None
    """Seed of the random rotations that hash; by default drawn for every call while training."""
    hidden_dropout_prob: Rate = 0.05
    """Dropout of embeddings, attention outputs and feed-forward layers."""
    classifier_dropout: Rate | None = None
    """Dropout of the classifier of texts, by default ``hidden_dropout_prob``."""
    initializer_range: Positive = 0.02
    """Standard deviation of a new model's weights."""
    layer_norm_eps: Epsilon = 1e-12
    """What keeps the norms' divisor from being zero."""
    tie_word_embeddings: bool = False
    """False: predictions read states twice as wide as token vectors."""
    pad_token_id: int | None = 0
    """Id of the padding token."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Id that ends a text."""

    def validate(self) -> None:
        """Layers are named, axial positions are as wide as the token vectors, and every number of buckets is even."""
        named = len(self.attn_layers)
        depth = named if self.num_hidden_layers is None else self.num_hidden_layers
        self.require(1 <= depth <= named, "num_hidden_layers", f"from 1 to {named}, the number of attn_layers")
        self.num_hidden_layers, self.attn_layers = depth, self.attn_layers[:depth]
        if self.axial_pos_embds:
            self._validate_axes()
        factors = self.bucket_factors or ()
        self.require(
            all(number % 2 == 0 for number in factors),
            "num_buckets",
            "even, each number of it: half of the hashes are the opposites of the others",
        )
        self.require(not self.tie_word_embeddings, "tie_word_embeddings", "false: predictions read states 2·D wide")

    def _validate_axes(self) -> None:
        axes, widths = self.axial_pos_shape, self.axial_pos_embds_dim
        self.require(len(axes) == len(widths), "axial_pos_shape", f"as long as axial_pos_embds_dim={list(widths)}")
        self.require(
            sum(widths) == self.hidden_size,
            "axial_pos_embds_dim",
            f"numbers with the sum hidden_size={self.hidden_size}; theirs is {sum(widths)}",
        )

    def replace(self, **changes: Any) -> Self:
        """A copy with other values; with other ``attn_layers`` it has all of them."""
        if "attn_layers" in changes:
            changes = {"num_hidden_layers": None, **changes}
        return super().replace(**changes)

    @property
    def positions(self) -> int:
        """Most tokens of a text."""
        longest = self.max_position_embeddings
        return min(longest, prod(self.axial_pos_shape)) if self.axial_pos_embds else longest

    @property
    def bucket_factors(self) -> tuple[int, ...] | None:
        """Numbers whose product is the number of buckets; ``None`` where a text's length chooses it."""
        return (self.num_buckets,) if isinstance(self.num_buckets, int) else self.num_buckets

    @property
    def chunk_multiple(self) -> int:
        """Tokens of which a text that is chunked has a multiple, its padding counted."""
        lengths = {"lsh": self.lsh_attn_chunk_length, "local": self.local_attn_chunk_length}
        return lcm(*(lengths[kind] for kind in self.attn_layers))

    @property
    def shortest_chunk(self) -> int:
        """Tokens of a text beyond which it is padded and chunked."""
        lengths = {"lsh": self.lsh_attn_chunk_length, "local": self.local_attn_chunk_length}
        return min(lengths[kind] for kind in self.attn_layers)
