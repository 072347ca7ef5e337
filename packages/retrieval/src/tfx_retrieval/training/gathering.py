"""Vectors of all processes, with gradients that go back to the process that made them."""

import torch
import torch.distributed as dist
from torch import Tensor


def gathered(own: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes, those of each after those of the one before it, and where the own begin.

    Processes may have different numbers of rows. What each makes of any row gives its gradient to the row's process,
    where they add up. Everything of one process is there without others, as it is given.
    """
    if processes() == 1:
        return own, 0
    from torch.distributed.nn.functional import all_gather  # differentiable, as that of torch.distributed is not

    counts = torch.zeros(processes(), dtype=torch.long, device=own.device)
    counts[dist.get_rank()] = len(own)
    dist.all_reduce(counts)
    sizes: list[int] = counts.tolist()
    filling = own.new_zeros(max(sizes) - len(own), *own.shape[1:])  # all must send as many rows
    parts = all_gather(torch.cat([own, filling]))
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)]), sum(sizes[: dist.get_rank()])


def total(count: int, device: torch.device) -> int:
    """The sum over all processes."""
    if processes() == 1:
        return count
    counted = torch.tensor(count, device=device)
    dist.all_reduce(counted)
    return int(counted)


def processes() -> int:
    """How many train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
