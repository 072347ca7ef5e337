"""Which devices a training has, and which of its processes this is."""

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env


def on_the_cpu() -> bool:
    """Whether there is nothing else to compute on, or accelerate was told to leave it alone.

    accelerate takes processes of torchrun for one training only where it is told that they are on the CPU.
    """
    return bool(parse_flag_from_env("ACCELERATE_USE_CPU", False)) or not torch.accelerator.is_available()


def processes() -> PartialState:
    """What accelerate knows of the processes of this training."""
    return PartialState(cpu=on_the_cpu())
