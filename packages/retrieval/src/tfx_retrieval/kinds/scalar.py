"""``sq8``: every number in eight bits, between the least and the greatest that its place has; all are compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from tfx_core.embedding import Allowed, RowNumbers, VectorKind, Vectors
from tfx_retrieval.arrays import open_array
from tfx_retrieval.kinds.native import (
    Found,
    Progress,
    as_bytes,
    blocks,
    first_complete,
    number_allowed,
    open_vectors,
    save_array,
    selector,
    view,
)
from tfx_retrieval.kinds.options import KindOptions, read_options

CODES, RANGES = "codes.npy", "ranges.npy"


@dataclass(frozen=True, kw_only=True)
class ScalarOptions(KindOptions):
    """``sq8`` has none."""

    kind: ClassVar[str] = "sq8"


class EightBitVectors:
    """Codes mapped into memory, searched whole; see `tfx_core.embedding.VectorIndex`."""

    def __init__(self, codes: NDArray[np.uint8], ranges: Vectors) -> None:
        self._codes = codes  # which FAISS sees, but does not own
        self._index = faiss.IndexScalarQuantizer(
            codes.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        self._index.sq = _quantizer(ranges)
        view(self._index.codes, as_bytes(codes))
        self._index.ntotal, self._index.is_trained = len(codes), True

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> Found:
        """Compare the query, as it is, with all vectors as they are kept."""
        parameters = faiss.SearchParameters(sel=selector(allowed))

        def scan(queries: Vectors, k: int) -> Found:
            scores, rows = self._index.search(queries, k, params=parameters)
            return scores, rows

        return first_complete([scan], queries, k, number_allowed(allowed, len(self._codes)))

    def vectors(self, rows: RowNumbers) -> Vectors:
        """Return the vectors of these rows, each number off by at most 1/510 of its range."""
        return np.asarray(self._index.sq.decode(np.ascontiguousarray(self._codes[rows])), np.float32)


class ScalarKind(VectorKind):
    """Keeps `EightBitVectors` in a folder."""

    def write(
        self, folder: Path, vectors: Vectors, *, options: Mapping[str, str], progress: Progress | None = None
    ) -> None:
        """Read the vectors twice, a block at a time: for the ranges, then for the codes."""
        self.check(options)
        parts = list(blocks(len(vectors)))
        least = np.min([vectors[part].min(axis=0) for part in parts], axis=0)
        greatest = np.max([vectors[part].max(axis=0) for part in parts], axis=0)
        ranges = np.stack([least, greatest - least])
        quantizer = _quantizer(ranges)
        save_array(folder / RANGES, "<f4", ranges.shape, [ranges])

        def coded(part: slice) -> NDArray[np.uint8]:
            if progress is not None:
                progress(part.stop - part.start)
            return np.asarray(quantizer.compute_codes(np.ascontiguousarray(vectors[part], dtype=np.float32)))

        save_array(folder / CODES, "|u1", vectors.shape, map(coded, parts))

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> EightBitVectors:
        """Map the codes into memory."""
        self.check(options)
        ranges = np.array(open_vectors(folder / RANGES, (2, dimension)))
        return EightBitVectors(open_array(folder / CODES, "|u1", (count, dimension)), ranges)

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse any option."""
        read_options(ScalarOptions, options)


KIND = ScalarKind()
"""Target of the index name ``sq8``."""


def _quantizer(ranges: Vectors) -> Any:
    """The quantizer of what each place has: the least value and how far the greatest is from it, (2, D)."""
    quantizer = faiss.ScalarQuantizer(ranges.shape[1], faiss.ScalarQuantizer.QT_8bit)
    faiss.copy_array_to_vector(ranges.reshape(-1), quantizer.trained)
    return quantizer
