"""The index: vectors in the files of a folder, and how the nearest are found. Passages are kept by tfx-retrieval."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tfx_core.embedding import Allowed, RowNumbers, VectorKind, Vectors
from tfx_core.errors import InputError, PassageIndexError, described

FILE = "vectors.npy"
BLOCK = 1 << 14
"""How many vectors are read, or compared, together."""


class ExampleIndex:
    """Vectors that nothing changes; see `tfx_core.embedding.VectorIndex`. Threads search it at once."""

    def __init__(self, vectors: NDArray[np.float16]) -> None:
        self._vectors = vectors

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> tuple[Vectors, RowNumbers]:
        """Find the rows of highest inner product among those that are allowed, ``(Q, k)`` scores and rows."""
        scores = np.full((len(queries), k), -np.inf, np.float32)  # what stays where fewer are found
        rows = np.full((len(queries), k), -1, np.int64)
        candidates = np.arange(len(self._vectors)) if allowed is None else np.flatnonzero(allowed)
        for first in range(0, len(candidates), BLOCK):
            part = candidates[first : first + BLOCK]
            products = queries @ self.vectors(part).T  # (Q, n)
            scores = np.concatenate((scores, products), axis=1)
            rows = np.concatenate((rows, np.broadcast_to(part, products.shape)), axis=1)
            order = np.lexsort((rows, -scores))[:, :k]  # the best first; of equal ones the lower row
            scores, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
        return scores, rows

    def vectors(self, rows: RowNumbers) -> Vectors:
        """Return the vectors of these rows, ``(len(rows), D)``, as they are kept."""
        return self._vectors[rows].astype(np.float32)


class ExampleIndexKind(VectorKind):
    """How an `ExampleIndex` is kept in a folder."""

    keeps_vectors = False  # true where every vector comes back exactly as it was written

    def write(
        self,
        folder: Path,
        vectors: Vectors,
        *,
        options: Mapping[str, str],
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Write the files; the same vectors must give the same bytes. There may be more than fit into memory."""
        self.check(options)
        kept = np.lib.format.open_memmap(folder / FILE, mode="w+", dtype=np.dtype("<f2"), shape=vectors.shape)
        for first in range(0, len(vectors), BLOCK):
            part = vectors[first : first + BLOCK]
            if np.abs(part).max() > np.finfo(np.float16).max:
                raise InputError("example-index: a number is too large for 16 bits")
            kept[first : first + len(part)] = part
            if progress is not None:
                progress(len(part))
        kept.flush()

    def open(
        self,
        folder: Path,
        *,
        count: int,
        dimension: int,
        options: Mapping[str, str],
    ) -> ExampleIndex:
        """Open what `write` left. The folder may be a stranger's: nothing in it is trusted."""
        self.check(options)
        path = folder / FILE
        try:
            kept = np.lib.format.open_memmap(path, mode="r")
            size = path.stat().st_size
        except Exception as error:  # whatever numpy makes of a file that is no array
            raise PassageIndexError(f"{path}: cannot be read: {described(error)}") from error
        if kept.dtype != np.dtype("<f2") or kept.shape != (count, dimension) or not kept.flags.c_contiguous:
            raise PassageIndexError(f"{path}: holds {kept.dtype} {kept.shape}, not 16 bits and {(count, dimension)}")
        if size != kept.offset + kept.nbytes:
            raise PassageIndexError(f"{path}: has {size} bytes, of which the array takes {kept.offset + kept.nbytes}")
        if not all(np.isfinite(kept[first : first + BLOCK]).all() for first in range(0, count, BLOCK)):
            raise PassageIndexError(f"{path}: holds nan or inf; build the index again")
        return ExampleIndex(kept)

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse options that there are not, before anything is embedded; here, there are none."""
        if options:
            raise InputError(f"index option {next(iter(options))!r}: example-index has no options")


KIND = ExampleIndexKind()
