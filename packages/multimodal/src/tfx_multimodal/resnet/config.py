"""ResNet's configuration."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Literal

from tfx_core.fields import Size
from tfx_core.model import ModelConfig
from tfx_core.nn import Activation


@dataclass(kw_only=True)
class ResNetConfig(ModelConfig):
    """Keys of a ResNet's ``config.json``; the defaults are ResNet-50 (He et al. 2016)."""

    model_type: ClassVar[str] = "resnet"
    # of the reference's interface to object detection
    inert_keys: ClassVar[Collection[str]] = ("out_features", "out_indices", "stage_names")

    num_channels: Size = 3
    """Channels of an image."""
    embedding_size: Size = 64
    """Channels of the first convolution."""
    hidden_sizes: tuple[Size, ...] = (256, 512, 1024, 2048)
    """Channels of each stage's output."""
    depths: tuple[Size, ...] = (3, 4, 6, 3)
    """Number of blocks in each stage."""
    layer_type: Literal["bottleneck", "basic"] = "bottleneck"
    """Blocks of three convolutions, the middle one four times as narrow, or of two."""
    hidden_act: Activation = "relu"
    """Activation after each convolution."""
    downsample_in_first_stage: bool = False
    """Whether the first stage halves the image, too."""
    downsample_in_bottleneck: bool = False
    """Whether a bottleneck halves the image in its first convolution, as in the paper, not in its middle one."""

    def validate(self) -> None:
        """Stages have a depth each, and bottlenecks a fourth of their width."""
        self.require(
            len(self.depths) == len(self.hidden_sizes) > 0,
            "depths",
            f"as many numbers as hidden_sizes={list(self.hidden_sizes)}",
        )
        self.require(
            self.layer_type == "basic" or all(size % 4 == 0 for size in self.hidden_sizes),
            "hidden_sizes",
            "multiples of 4 where layer_type is 'bottleneck'",
        )
