"""ResNet (He et al. 2016)."""

from tfx_core.model import Architecture
from tfx_multimodal.resnet.config import ResNetConfig
from tfx_multimodal.resnet.heads import HEADS
from tfx_multimodal.resnet.model import build_backbone, initialise
from tfx_multimodal.resnet.weights import backbone_rules

__all__ = ["ARCHITECTURE", "ResNetConfig"]


ARCHITECTURE = Architecture(
    config=ResNetConfig,
    backbone=build_backbone,
    heads=HEADS,
    weights=backbone_rules,
    initialise=initialise,
)
