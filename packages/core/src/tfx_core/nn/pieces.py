"""Large batches some tokens at a time, by modules that compute each token alone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tfx_core.nn.linears.packing import is_watched
from tfx_core.nn.real_tokens import can_read

TOKENS = 512
"""Of a piece, for each thread: what stands between two layers stays in the cache, in memory that is used again."""


def in_pieces(module: nn.Module, compute: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``(…, D) -> (…, D')`` by a function of each token alone, in pieces of `TOKENS` where a CPU infers.

    What somebody watches within the module sees all tokens at once, as does what is learnt, drops at random or is
    recorded.
    """
    if torch.is_grad_enabled() or module.training or x.device.type != "cpu" or not can_read(x):
        return compute(x)
    pieces = -(-x.shape[:-1].numel() // (TOKENS * torch.get_num_threads()))
    if pieces <= 1 or any(map(is_watched, module.modules())):
        return compute(x)
    parts = [compute(piece) for piece in x.flatten(0, -2).chunk(pieces)]
    return torch.cat(parts).view(*x.shape[:-1], -1)
