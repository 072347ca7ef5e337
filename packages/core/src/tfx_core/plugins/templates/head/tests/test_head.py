"""The checks of tfx-testing: what fails says what is wrong, and what to do.

A check that is not meant for this head is named in ``exceptions``, with the reason.
"""

from typing import ClassVar

import torch
from tfx_testing import HeadChecks, PluginChecks
from torch import Tensor

LABELS = 3


def classes_of_texts(head: str, token_labels: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """What the head learns from, ``(B,)``; one that labels tokens is given ``token_labels`` ``(B, S)`` for it."""
    return {"labels": torch.randint(LABELS, (len(token_labels),), generator=generator)}


class TestHead(HeadChecks):
    """Results, gradients, padding, batches, files and tasks, on a small encoder that comes with the checks."""

    head = "example-head"
    labels = classes_of_texts
    settings: ClassVar = {"num_labels": LABELS}


class TestPlugin(PluginChecks):
    """What is installed: metadata, the plugin module, docstrings."""

    distribution = "tfx-example-head"
