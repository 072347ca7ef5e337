"""Lets torchvision, which the reference imports where it is installed, be imported beside any build of torch."""

from importlib.util import find_spec
from pathlib import Path

import torch

OPERATORS = ("nms", "qnms")
DECLARED = "(Tensor boxes, Tensor scores, float threshold) -> Tensor"


def declare_operators() -> torch.library.Library | None:
    """Declare the operators without which torchvision cannot be imported, where its compiled ones do not load.

    They are of object detection; its networks and transforms use none of them.
    """
    found = find_spec("torchvision")
    if found is None or found.origin is None:
        return None
    for file in Path(found.origin).parent.glob("_C*"):
        try:
            torch.ops.load_library(str(file))
        except OSError:
            break
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        library.define(name + DECLARED)
    return library


LIBRARY = declare_operators()
