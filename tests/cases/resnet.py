"""ResNet."""

import torch
from torch import Tensor

from tfx_testing.cases import ArchitectureCase, Inputs, Variant
from tfx_testing.parity.case import BATCH, Case


def images(case: Case, generator: torch.Generator) -> Inputs:
    """Images, not square and of odd sizes, with classes."""
    made: dict[str, Tensor] = {"pixel_values": torch.randn(BATCH, 3, 45, 38, generator=generator)}
    if case.head == "image-classification":
        made["labels"] = torch.randint(0, 3, (BATCH,), generator=generator)
    return made


CASE = ArchitectureCase(
    "resnet",
    {"embedding_size": 6, "hidden_sizes": [16, 24, 32], "depths": [1, 2, 1], "hidden_act": "relu"},
    (
        Variant("bottleneck", padded=dict),
        Variant(
            "bottleneck, halved first",
            {"downsample_in_bottleneck": True, "downsample_in_first_stage": True},
            padded=dict,
        ),
        Variant("basic", {"layer_type": "basic", "hidden_sizes": [6, 11, 16]}, padded=dict),
    ),
    reads="image",
    inputs=images,
)
