"""T5's configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, get_args

from tfx_core.fields import Count, Epsilon, Positive, Rate, Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation

_GATED = "gated-"


@dataclass(kw_only=True)
class T5Config(ModelConfig):
    """Keys of a T5's ``config.json``; the defaults are T5-small (Raffel et al. 2020).

    Version 1.1 has ``feed_forward_proj="gated-gelu"`` and an output layer of its own, which reads states as they are.

    transformers 4 knows no ``scale_decoder_outputs`` and takes ``tie_word_embeddings`` for it. Where both differ in a
    file (a scaled output layer that is not the token table, or one without scale that is), its logits are right only up
    to a factor, the root of the width.
    """

    model_type: ClassVar[str] = "t5"
    aliases: ClassVar[Mapping[str, str]] = {
        "hidden_size": "d_model",
        "intermediate_size": "d_ff",
        "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_heads",
        "head_dim": "d_kv",
    }
    absent: ClassVar[Mapping[str, str]] = {"max_position_embeddings": "texts have no longest length here"}
    inert_keys: ClassVar[Collection[str]] = ("n_positions",)

    vocab_size: Size = 32128
    """Number of tokens."""
    d_model: Size = 512
    """Width of the hidden states."""
    d_kv: Size = 64
    """Width of one attention head."""
    d_ff: Size = 2048
    """Width of the feed-forward layers."""
    num_layers: Count = 6
    """Number of encoder layers."""
    num_decoder_layers: Count | None = None
    """Number of decoder layers; by default as many as the encoder has."""
    num_heads: Size = 8
    """Attention heads of each layer."""
    relative_attention_num_buckets: Size = 32
    """Number of classes of distances that attention tells apart."""
    relative_attention_max_distance: Size = 128
    """Distance from which on all are alike."""
    dropout_rate: Rate = 0.1
    """Dropout everywhere."""
    classifier_dropout: Rate = 0.0
    """Dropout before the classifiers."""
    layer_norm_epsilon: Epsilon = 1e-6
    """Added to the mean square in every norm."""
    initializer_factor: Positive = 1.0
    """Factor of the standard deviations of a new model's weights."""
    feed_forward_proj: str = "relu"
    """Activation of the feed-forward layers; with ``gated-`` before it, their input is gated by a second projection."""
    is_gated_act: bool | None = None
    """What ``feed_forward_proj`` says of the gate, where a file says it twice."""
    dense_act_fn: Activation | None = None
    """What it says of the activation."""
    scale_decoder_outputs: bool | None = None
    """Whether states are divided by the root of their width before the output layer.

    Files without it are from before output layer and scale were two facts: there ``tie_word_embeddings`` is both.
    """
    is_encoder_decoder: bool = True
    """Whether the model has an encoder and a decoder."""
    pad_token_id: int | None = 0
    """Id of the padding token."""
    eos_token_id: int | tuple[int, ...] | None = 1
    """Id that ends a text."""

    def __post_init__(self) -> None:
        if self.scale_decoder_outputs is None:
            object.__setattr__(self, "scale_decoder_outputs", self.tie_word_embeddings)
        super().__post_init__()

    def validate(self) -> None:
        """The feed-forward layer is one that there is, whichever key says it; half of the buckets are for distances."""
        names = get_args(Activation)
        self.require(
            self.feed_forward_proj.removeprefix(_GATED) in names,
            "feed_forward_proj",
            f"one of {', '.join(names)}, with or without {_GATED!r} before it",
        )
        for key, said in (("is_gated_act", self.is_gated), ("dense_act_fn", self.activation)):
            self.require(
                getattr(self, key) in (None, said), key, f"{said!r} for feed_forward_proj={self.feed_forward_proj!r}"
            )
        self.require(
            self.relative_attention_num_buckets % 4 == 0,
            "relative_attention_num_buckets",
            "divisible by 4: two directions, each with exact and with logarithmic distances",
        )

    @property
    def decoder_layers(self) -> int:
        """Number of decoder layers."""
        return self.num_layers if self.num_decoder_layers is None else self.num_decoder_layers

    @property
    def is_gated(self) -> bool:
        """Whether the feed-forward layers have a gate."""
        return self.feed_forward_proj.startswith(_GATED)

    @property
    def activation(self) -> Activation:
        """Activation of the feed-forward layers; the gated GELU of version 1.1 is the tanh form."""
        if self.feed_forward_proj == "gated-gelu":
            return "gelu_new"
        name: Activation = self.feed_forward_proj.removeprefix(_GATED)  # type: ignore[assignment]  # see validate
        return name
