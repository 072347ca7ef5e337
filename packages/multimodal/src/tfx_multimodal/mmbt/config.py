"""MMBT's configuration: that of its text encoder, and a few keys."""

from dataclasses import dataclass
from typing import ClassVar

from tfx_core.fields import Size
from tfx_core.model import ExtendedConfig, ModelConfig


@dataclass(kw_only=True)
class MMBTConfig(ExtendedConfig):
    """Keys of an MMBT's ``config.json`` beside those of its text encoder, which is a BERT unless it says otherwise."""

    model_type: ClassVar[str] = "mmbt"
    default_text_model_type: ClassVar[str] = "bert"

    modal_hidden_size: Size = 2048
    """Width of the image's features."""
    image_config: ModelConfig | None = None
    """The config of the image encoder; null where the model is given features."""
    num_image_embeds: Size = 1
    """Number of positions that an image takes, without those of the tokens around it."""

    def validate(self) -> None:
        """It predicts nothing that follows."""
        super().validate()
        self.require(not self.is_decoder, "is_decoder", "false: text and image see each other")

    @property
    def modal_dropout(self) -> float:
        """Dropout before the classifier: that of the hidden states."""
        return float(getattr(self, "hidden_dropout_prob", 0.1))

    @property
    def spread(self) -> float:
        """Standard deviation of a new model's own weights."""
        return float(getattr(self, "initializer_range", 0.02))
