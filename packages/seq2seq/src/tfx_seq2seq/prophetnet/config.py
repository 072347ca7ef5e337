"""ProphetNet's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Count, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation

_FURTHEST = 2
"""So many places after the last token read stands, counted from 0, what predicts the one after it."""


@dataclass(kw_only=True)
class ProphetNetConfig(ModelConfig):
    """Keys of a ProphetNet's ``config.json``; the defaults are the large released model (Qi et al. 2020)."""

    model_type: ClassVar[str] = "prophetnet"
    settable: ClassVar[Collection[str]] = frozenset(ModelConfig.settable) - {"pad_token_id"}
    aliases: ClassVar[Mapping[str, str]] = {
        "intermediate_size": "encoder_ffn_dim",
        "num_hidden_layers": "num_encoder_layers",
        "num_attention_heads": "num_encoder_attention_heads",
    }
    # the released files have them, and nothing ever read them
    inert_keys: ClassVar[Collection[str]] = (
        "decoder_layerdrop",
        "decoder_max_position_embeddings",
        "encoder_layerdrop",
        "encoder_max_position_embeddings",
    )

    vocab_size: Size = 30522
    """Number of tokens."""
    hidden_size: Size = 1024
    """Width of the hidden states."""
    num_encoder_layers: Count = 12
    """Number of encoder layers."""
    num_encoder_attention_heads: Size = 16
    """Attention heads of each encoder layer."""
    encoder_ffn_dim: Size = 4096
    """Width of the encoder's feed-forward layers."""
    num_decoder_layers: Count = 12
    """Number of decoder layers."""
    num_decoder_attention_heads: Size = 16
    """Attention heads of each decoder layer."""
    decoder_ffn_dim: Size = 4096
    """Width of the decoder's feed-forward layers."""
    max_position_embeddings: Size = 512
    """Rows of the position tables: those up to ``pad_token_id`` belong to no position, the last one to no target's."""
    ngram: Size = 2
    """Number of predicting streams: each token is predicted from what is so many places before it, 1 to ``ngram``."""
    num_buckets: Size = 32
    """Number of classes of distances that the decoder's attention tells apart."""
    relative_max_distance: Size = 128
    """Distance from which on all are alike."""
    disable_ngram_loss: bool = False
    """Whether the loss is of the first predicting stream alone."""
    eps: Rate = 0.0
    """How much of a label the loss spreads over the whole vocabulary (label smoothing)."""
    activation_function: Activation = "gelu"
    """Activation of the feed-forward layers."""
    dropout: Rate = 0.1
    """Dropout of the embeddings and of each sublayer's output."""
    attention_dropout: Rate = 0.1
    """Dropout of the attention weights."""
    activation_dropout: Rate = 0.1
    """Dropout inside the feed-forward layers."""
    init_std: Positive = 0.02
    """Standard deviation of a new model's weights."""
    is_encoder_decoder: bool = True
    """Whether the model has an encoder and a decoder."""
    add_cross_attention: bool = True
    """Whether the decoder can attend to a source; beside its encoder it must."""
    pad_token_id: int | None = 0
    """Id of the padding token."""
    bos_token_id: int | None = 1
    """Id that starts a text."""
    eos_token_id: int | tuple[int, ...] | None = 2
    """Id that ends a text."""
    decoder_start_token_id: int | None = 0
    """Id with which the decoder begins."""

    def validate(self) -> None:
        """Heads divide the width, positions begin after the padding token's, buckets are of two kinds."""
        for key in ("num_encoder_attention_heads", "num_decoder_attention_heads"):
            self.require(
                self.hidden_size % getattr(self, key) == 0, key, f"a divisor of hidden_size={self.hidden_size}"
            )
        self.require(
            self.pad_token_id is not None and 0 <= self.pad_token_id < self.vocab_size,
            "pad_token_id",
            f"an id below vocab_size={self.vocab_size}: positions begin at the one after it",
        )
        self.require(
            self.max_position_embeddings >= self.first_position + _FURTHEST,
            "max_position_embeddings",
            f"at least {self.first_position + _FURTHEST}, for a token after pad_token_id={self.pad_token_id} and the "
            "prediction of the next",
        )
        self.require(self.num_buckets % 2 == 0, "num_buckets", "even: half are of single distances")
        self.require(
            self.relative_max_distance > self.num_buckets // 2,
            "relative_max_distance",
            f"more than the distances with a bucket of their own, num_buckets / 2 = {self.num_buckets // 2}",
        )

    @property
    def first_position(self) -> int:
        """The row of the position table that a text's first token has."""
        assert self.pad_token_id is not None
        return self.pad_token_id + 1

    @property
    def positions(self) -> int:
        """The longest source, in tokens."""
        return self.max_position_embeddings - self.first_position
