"""How alike vectors are: the four measures that sentence-transformers folders name, higher for more alike."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tfx_core.errors import InputError, shown


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.mT


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return _dot(F.normalize(a, dim=-1), F.normalize(b, dim=-1))


def _euclidean(a: Tensor, b: Tensor) -> Tensor:
    return -torch.cdist(a, b, p=2)


def _manhattan(a: Tensor, b: Tensor) -> Tensor:
    return -torch.cdist(a, b, p=1)


SIMILARITIES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": _cosine,
    "dot": _dot,
    "euclidean": _euclidean,
    "manhattan": _manhattan,
}
"""Name in files -> (…, N, D) and (…, M, D) to (…, N, M)."""


def similarity(a: Any, b: Any, how: str) -> Tensor:
    """Of each of (N, D) with each of (M, D), (N, M); a single vector is one row."""
    a, b = (each if each.ndim > 1 else each.unsqueeze(0) for each in map(as_vectors, (a, b)))
    return SIMILARITIES[how](a, b.to(a.device))


def similarity_pairwise(a: Any, b: Any, how: str) -> Tensor:
    """Of each of (N, D) with the one of (N, D) in its place, (N,); of two single vectors a number."""
    a, b = (each.unsqueeze(-2) for each in map(as_vectors, (a, b)))
    return SIMILARITIES[how](a, b.to(a.device)).squeeze(-1).squeeze(-1)


def as_vectors(vectors: Any) -> Tensor:
    """Arrays, tensors and lists of them as one tensor of numbers with a fraction."""
    if isinstance(vectors, list | tuple) and vectors and isinstance(vectors[0], Tensor):
        vectors = torch.stack(list(vectors))
    tensor = vectors if isinstance(vectors, Tensor) else torch.from_numpy(np.asarray(vectors))
    return tensor if tensor.is_floating_point() else tensor.float()


def checked_similarity(how: object) -> str:
    """The name of a measure; `InputError` for any other."""
    if not isinstance(how, str) or how not in SIMILARITIES:
        raise InputError(f"similarity_fn_name={shown(how)}: must be one of {', '.join(SIMILARITIES)}")
    return how
