"""Vectors in fewer bytes: a byte or a bit for each number, as sentence-transformers writes them."""

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tfx_core.embedding.passage_index import Vectors
from tfx_core.errors import InputError, shown

Precision: TypeAlias = Literal["float32", "int8", "uint8", "binary", "ubinary"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def check_precision(precision: object) -> None:
    """Raise `InputError` for what is no `Precision`."""
    if precision not in PRECISIONS:
        raise InputError(f"precision={shown(precision)}: must be one of {', '.join(PRECISIONS)}")


def quantized(vectors: Vectors, precision: Precision) -> NDArray[Any]:
    """Vectors (N, D) as integers (N, D), or as bits, eight in a byte, (N, ceil(D / 8)).

    A byte counts 256 steps between the least and the greatest number that these very vectors have in a dimension, so
    that one vector alone is an `InputError`. A bit is whether a number is positive. ``"int8"`` and ``"binary"`` are
    the other two less 128.
    """
    if precision == "float32":
        return vectors
    if precision in ("binary", "ubinary"):
        counts = np.packbits(vectors > 0, axis=-1)
    elif len(vectors) == 1:
        raise InputError(f"precision={precision!r}: of a single vector the range of numbers is not known; give several")
    else:
        counts = _steps(vectors)
    return counts if precision in ("ubinary", "uint8") else (counts.astype(np.int16) - 128).astype(np.int8)


def _steps(vectors: Vectors) -> NDArray[np.uint8]:
    if not len(vectors):
        return vectors.astype(np.uint8)
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    step = (high - low) / 255
    step[step == 0] = 1  # where all are equal
    counts: NDArray[np.uint8] = ((vectors - low) / step).astype(np.uint8)
    return counts
