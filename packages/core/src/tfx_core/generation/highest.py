"""The highest of many scores."""

from typing import NamedTuple

import torch
from torch import Tensor

_CHUNK = 64


class Highest(NamedTuple):
    """Scores ``(R, K)``, falling, and where they stand."""

    values: Tensor
    indices: Tensor


def highest(scores: Tensor, count: int) -> Highest:
    """The ``count`` highest scores of each row ``(R, N)``; NaN counts as highest.

    Few of a whole vocabulary are wanted. They are in the chunks with the highest maxima, and only these are sorted: a
    fraction of the time that `torch.topk` takes on a CPU.
    """
    chunks = scores.shape[1] // _CHUNK
    if scores.device.type != "cpu" or chunks < 4 * count:
        return Highest(*scores.topk(count))
    split = scores[:, : chunks * _CHUNK].view(len(scores), chunks, _CHUNK)
    best = split.amax(2).topk(count, sorted=False).indices[..., None]  # (R, count, 1)
    within = torch.arange(_CHUNK)
    rest = torch.arange(chunks * _CHUNK, scores.shape[1])
    candidates = torch.cat(
        (split.gather(1, best.expand(-1, -1, _CHUNK)).flatten(1), scores[:, chunks * _CHUNK :]), dim=1
    )
    places = torch.cat(((best * _CHUNK + within).flatten(1), rest.expand(len(scores), -1)), dim=1)
    values, index = candidates.topk(count)
    return Highest(values, places.gather(1, index))
