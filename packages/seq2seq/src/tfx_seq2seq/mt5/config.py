"""mT5's configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from tfx_core.fields import Count, Size
from tfx_seq2seq.t5.config import T5Config

_UNSCALED_SINCE = 5
"""The version of transformers from which on an mT5's states are never scaled, whatever its files say of ties."""


@dataclass(kw_only=True)
class MT5Config(T5Config):
    """Keys of an mT5's ``config.json`` (Xue et al. 2021); the defaults are mT5-small.

    Its output layer is its own and reads states as they are.
    """

    model_type: ClassVar[str] = "mt5"

    vocab_size: Size = 250112
    """Number of tokens."""
    d_ff: Size = 1024
    """Width of the feed-forward layers."""
    num_layers: Count = 8
    """Number of encoder layers."""
    num_heads: Size = 6
    """Attention heads of each layer."""
    feed_forward_proj: str = "gated-gelu"
    """Activation of the feed-forward layers; with ``gated-`` before it, their input is gated by a second projection."""
    tie_word_embeddings: bool = False
    """Whether the output layer is the token table, where a checkpoint does not hold two that differ."""
    decoder_start_token_id: int | None = 0
    """Id with which the decoder begins."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str = "config") -> Self:
        """As for every architecture; transformers 5 says of every mT5 that it is tied, and scales none."""
        major = str(values.get("transformers_version")).partition(".")[0]
        if major.isdecimal() and int(major) >= _UNSCALED_SINCE:
            values = {"scale_decoder_outputs": False, **values}
        return super().from_dict(values, where=where)
