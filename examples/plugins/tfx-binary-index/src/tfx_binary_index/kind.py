"""The kind: what it writes into a folder, and how it opens that.

``signs.npy`` has a bit for each number of a vector, ``numbers.npy`` the numbers in 8 bits, ``lengths.npy`` what one of
these is worth in each vector. All are plain arrays, mapped into memory.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfx_binary_index.search import BinaryVectors, signs
from tfx_core.embedding import VectorIndex, VectorKind, Vectors
from tfx_core.errors import InputError, PassageIndexError, shown
from tfx_core.fields import Checked, Size

_BLOCK = 1 << 14
"""Vectors that are worked on together."""


@dataclass(frozen=True, kw_only=True)
class BinaryOptions(Checked):
    """What ``--index-option`` sets."""

    error = InputError

    oversampling: Size = 8
    """How many times as many passages as are asked for are compared again, by their numbers."""


def read_options(options: Mapping[str, str]) -> BinaryOptions:
    """The options, which come as text; raises `InputError` for one that there is not, or a wrong value."""
    known = [each.name for each in fields(BinaryOptions)]
    for name in options:
        if name not in known:
            raise InputError(f"index option {shown(name)}: a binary index has the options {', '.join(known)}")
    try:
        return BinaryOptions(**{name: _number(text) for name, text in options.items()})
    except InputError as error:
        raise InputError(f"index option {error}") from None


def _number(text: str) -> Any:
    """The whole number that a text is, else the text, which is then refused as it was written."""
    try:
        return int(text)
    except ValueError:
        return text


class BinaryKind(VectorKind):
    """Keeps `BinaryVectors` in a folder."""

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse other options than `BinaryOptions`."""
        read_options(options)

    def write(
        self,
        folder: Path,
        vectors: Vectors,
        *,
        options: Mapping[str, str],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write three arrays, a block of vectors at a time."""
        self.check(options)
        count, dimension = vectors.shape
        all_signs = _new(folder / "signs.npy", np.dtype("|u1"), (count, -(-dimension // 8)))
        numbers = _new(folder / "numbers.npy", np.dtype("|i1"), (count, dimension))
        lengths = _new(folder / "lengths.npy", np.dtype("<f4"), (count,))
        for part in _blocks(count):
            block = np.asarray(vectors[part], np.float32)
            steps = np.abs(block).max(axis=1) / 127  # what one step of 8 bits is worth, in each vector
            all_signs[part] = signs(block)
            numbers[part] = np.rint(block / np.where(steps == 0, 1, steps)[:, None])
            lengths[part] = steps
            if progress is not None:
                progress(len(block))
        for array in (all_signs, numbers, lengths):
            array.flush()

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> VectorIndex:
        """Map the arrays into memory; raises `PassageIndexError` for one that is not what was written."""
        oversampling = read_options(options).oversampling
        all_signs = _mapped(folder / "signs.npy", np.dtype("|u1"), (count, -(-dimension // 8)))
        numbers = _mapped(folder / "numbers.npy", np.dtype("|i1"), (count, dimension))
        lengths = np.array(_mapped(folder / "lengths.npy", np.dtype("<f4"), (count,)))
        if not (np.isfinite(lengths).all() and (lengths >= 0).all()):
            raise PassageIndexError(f"{folder / 'lengths.npy'}: has a length that is none; build the index again")
        return BinaryVectors(all_signs, numbers, lengths, oversampling)


KIND = BinaryKind()
"""Target of the index name ``binary``."""


def _blocks(count: int) -> Iterator[slice]:
    return (slice(first, min(first + _BLOCK, count)) for first in range(0, count, _BLOCK))


def _new(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """An array to fill, which is the file; the header that numpy writes has nothing of the machine in it."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array in a file, read without pickle, of just this type and shape."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise PassageIndexError(f"{path}: cannot be read: {error}") from None
    if array.dtype != dtype or array.shape != shape:
        raise PassageIndexError(f"{path}: holds {array.dtype} {array.shape}; must be {dtype} {shape}")
    return array
