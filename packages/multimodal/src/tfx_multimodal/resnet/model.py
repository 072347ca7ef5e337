"""The residual network, from images to maps of features (He et al. 2016; the stride as in torchvision's)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tfx_core.errors import InputError
from tfx_core.model import Backbone, ModelOutput
from tfx_core.nn import ActivationFunction, AttentionKernel, sdpa
from tfx_multimodal.resnet.config import ResNetConfig


class Convolution(nn.Module):
    """A convolution that keeps the size but for its stride, and a batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, C, h, w)`` -> ``(B, C', h / stride, w / stride)``."""
        y: Tensor = self.norm(self.convolution(x))
        return y


class ResidualBlock(nn.Module):
    """Convolutions with an activation between them, and the input added to what they give."""

    def __init__(self, convolutions: Sequence[nn.Module], shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(convolutions)
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, C, h, w)`` -> ``(B, C', h', w')``."""
        *first, last = self.convolutions
        y = x
        for convolution in first:
            y = self.activation(convolution(y))
        z: Tensor = self.activation(last(y) + self.shortcut(x))
        return z


class ResNet(Backbone):
    """A stem that makes an image four times as small, and stages of blocks."""

    def __init__(self, stem: Convolution, activation: nn.Module, stages: Sequence[nn.Module], width: int) -> None:
        super().__init__(width, causal=False)
        self.stem = stem
        self.activation = activation
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.ModuleList(stages)

    def forward(
        self, pixel_values: Tensor, output_hidden_states: bool = False, attention: AttentionKernel = sdpa
    ) -> ModelOutput:
        """Images ``(B, 3, H, W)`` -> maps ``(B, D, H / 32, W / 32)``, their mean ``(B, D, 1, 1)``.

        ``attention`` is not read: there is none. Raises `InputError` for what are no images.
        """
        channels = self.stem.convolution.in_channels
        if pixel_values.dim() != 4 or pixel_values.shape[1] != channels or 0 in pixel_values.shape:
            raise InputError(
                f"pixel_values of shape {tuple(pixel_values.shape)}: must be (images, {channels}, height, width)"
            )
        x = self.pool(self.activation(self.stem(pixel_values)))  # (B, 3, H, W) -> (B, C, H / 4, W / 4)
        maps = [x]
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return ModelOutput(
            last_hidden_state=x,
            pooler_output=x.mean((2, 3), keepdim=True),
            hidden_states=tuple(maps) if output_hidden_states else None,
        )

    def embed(self, input_ids: Tensor) -> Tensor:
        """Raises `InputError`: it reads images."""
        raise InputError("input_ids: this model reads images, pixel_values")


def build_backbone(config: ResNetConfig, parts: frozenset[str]) -> ResNet:
    """The backbone with the sizes of a config."""
    widths = (config.embedding_size, *config.hidden_sizes)
    stages = [
        build_stage(
            config, inputs, outputs, depth, stride=1 if not number and not config.downsample_in_first_stage else 2
        )
        for number, ((inputs, outputs), depth) in enumerate(zip(pairwise(widths), config.depths, strict=True))
    ]
    stem = Convolution(config.num_channels, config.embedding_size, kernel=7, stride=2)
    return ResNet(stem, ActivationFunction(config.hidden_act), stages, widths[-1])


def build_stage(config: ResNetConfig, inputs: int, outputs: int, depth: int, stride: int) -> nn.Sequential:
    """Blocks of one width, the first of which changes it and the size of the map."""
    first = build_block(config, inputs, outputs, stride)
    return nn.Sequential(first, *(build_block(config, outputs, outputs) for _ in range(depth - 1)))


def build_block(config: ResNetConfig, inputs: int, outputs: int, stride: int = 1) -> ResidualBlock:
    """A block of either kind, whose shortcut is a convolution where the shapes differ."""
    if config.layer_type == "basic":
        convolutions = [Convolution(inputs, outputs, stride=stride), Convolution(outputs, outputs)]
    else:
        narrow, early = outputs // 4, config.downsample_in_bottleneck
        convolutions = [
            Convolution(inputs, narrow, kernel=1, stride=stride if early else 1),
            Convolution(narrow, narrow, stride=1 if early else stride),
            Convolution(narrow, outputs, kernel=1),
        ]
    same = inputs == outputs and stride == 1
    shortcut = nn.Identity() if same else Convolution(inputs, outputs, kernel=1, stride=stride)
    return ResidualBlock(convolutions, shortcut, ActivationFunction(config.hidden_act))


def initialise(path: str, module: nn.Module, config: ResNetConfig, generator: torch.Generator | None) -> None:
    """Fill a module as torchvision does: by what a convolution gives (He et al. 2015), norms that change nothing."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
    elif isinstance(module, nn.Linear):
        bound = module.in_features**-0.5
        for parameter in (module.weight, module.bias):
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
    elif isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
