"""Arrays out of the files of an index, read without pickle, and what numbers vectors may hold."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tfx_core.embedding import Vectors
from tfx_core.errors import PassageIndexError, cleaned, shown

_PIECE = 1 << 20
"""Numbers that are looked at, or bytes that are written, together."""


def open_array(path: Path, dtype: DTypeLike, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Map an ``.npy`` file into memory, or raise a `PassageIndexError` where it is not this array and nothing else.

    None in a shape is any number.
    """
    try:
        array: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="r")
        end = path.stat().st_size
    except Exception as error:  # whatever numpy's parser makes of a header: TokenError, TypeError, …
        raise PassageIndexError(f"{path}: cannot be read: {cleaned(str(error), 200)}") from error
    wanted = tuple(has if wants is None else wants for wants, has in zip(shape, array.shape, strict=False))
    if array.dtype != dtype or array.shape != wanted or len(shape) != array.ndim or not array.flags.c_contiguous:
        found = f"{shown(str(array.dtype))} of shape {shown(array.shape)}"
        raise PassageIndexError(f"{path}: holds {found}; expected is {np.dtype(dtype)} of shape {shape}")
    if array.offset + array.nbytes != end:
        raise PassageIndexError(f"{path}: has {end} bytes, of which the array takes {array.offset + array.nbytes}")
    return array


def new_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    """Map a new ``.npy`` file of zeros into memory, to be filled.

    Its room is taken before: on a full disk a page without any is no `OSError` but kills the process (SIGBUS).
    """
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    left = math.prod(shape) * np.dtype(dtype).itemsize
    with path.open("xb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        while left:
            left -= stream.write(bytes(min(left, _PIECE)))
    array: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="r+")
    return array


def are_searchable(vectors: Vectors) -> bool:
    """Whether every vector, (N, D), has a squared length that is a number of its type.

    Then so is every inner product. A search sorts by it, and one that is nan or inf hides its row.
    """
    rows = max(1, _PIECE // max(1, vectors.shape[1]))
    pieces = (vectors[first : first + rows] for first in range(0, len(vectors), rows))
    return all(np.isfinite(np.einsum("nd,nd->n", piece, piece)).all() for piece in pieces)
