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
    a, b = (each if each.ndim > 1 else each.unsqueeze(0) for each in _comparable(a, b))
    return SIMILARITIES[how](a, b)


def similarity_pairwise(a: Any, b: Any, how: str) -> Tensor:
    """Of each of (N, D) with the one of (N, D) in its place, (N,); of two single vectors a number."""
    a, b = _comparable(a, b)
    if a.ndim == b.ndim > 1 and a.shape[0] != b.shape[0]:
        raise InputError(f"{a.shape[0]} and {b.shape[0]} vectors are no pairs; similarity compares each with each")
    return SIMILARITIES[how](a.unsqueeze(-2), b.unsqueeze(-2)).squeeze(-1).squeeze(-1)


def _comparable(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both on one device, in the finer type of the two; `InputError` for vectors of two lengths."""
    a, b = as_vectors(a), as_vectors(b)
    if a.shape[-1] != b.shape[-1]:
        raise InputError(f"vectors of {a.shape[-1]} and of {b.shape[-1]} numbers cannot be compared")
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype), b.to(a.device, dtype)


def as_vectors(vectors: Any) -> Tensor:
    """Arrays, tensors and lists of them as one tensor of numbers with a fraction; `InputError` for anything else."""
    if isinstance(vectors, list | tuple) and vectors and isinstance(vectors[0], Tensor):
        vectors = torch.stack(list(vectors))
    tensor = vectors if isinstance(vectors, Tensor) else _of_array(vectors)
    if not tensor.ndim:
        raise InputError("a single number is no vector")
    return tensor if tensor.is_floating_point() else tensor.float()


def _of_array(vectors: Any) -> Tensor:
    try:
        array = np.asarray(vectors)
    except ValueError:  # of vectors of several lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise InputError("vectors are needed, as encode gives them: an array, a tensor or a list of them")
    plain = not isinstance(vectors, np.ndarray) and array.dtype == np.float64  # lists of Python's numbers
    return torch.from_numpy(array.astype(np.float32) if plain else array)


def checked_similarity(how: object) -> str:
    """The name of a measure; `InputError` for any other."""
    if not isinstance(how, str) or how not in SIMILARITIES:
        raise InputError(f"similarity_fn_name={shown(how)}: must be one of {', '.join(SIMILARITIES)}")
    return how
