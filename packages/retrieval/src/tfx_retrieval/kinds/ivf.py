"""``ivf-flat`` and ``ivf-disk``: lists of vectors as they are, read into memory or left on the disk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import faiss
import numpy as np

from tfx_core.embedding import RowNumbers, VectorKind, Vectors
from tfx_retrieval.kinds.lists import (
    CENTROIDS,
    CODES,
    ListOptions,
    Lists,
    ListSearch,
    read_lists,
    read_quantizer,
    sorter_of,
    write_order,
)
from tfx_retrieval.kinds.native import Progress, blocks, open_vectors, save_array
from tfx_retrieval.kinds.options import read_options


@dataclass(frozen=True, kw_only=True)
class FlatListOptions(ListOptions):
    """Options of ``ivf-flat``."""

    kind: ClassVar[str] = "ivf-flat"


@dataclass(frozen=True, kw_only=True)
class DiskListOptions(ListOptions):
    """Options of ``ivf-disk``."""

    kind: ClassVar[str] = "ivf-disk"


class VectorLists(ListSearch):
    """Vectors as they are, in lists; see `tfx_core.embedding.VectorIndex`."""

    def vectors(self, rows: RowNumbers) -> Vectors:
        """Return a copy of the vectors of these rows."""
        return np.asarray(self.lists.codes[self.lists.places[rows]])


class VectorListKind(VectorKind):
    """Keeps `VectorLists` in a folder; ``in_memory`` once they are opened, else mapped and read as they are needed."""

    keeps_vectors = True

    def __init__(self, options: type[ListOptions], *, in_memory: bool) -> None:
        self._options = options
        self._in_memory = in_memory

    def write(
        self, folder: Path, vectors: Vectors, *, options: Mapping[str, str], progress: Progress | None = None
    ) -> None:
        """Hold no more than a sample, a block of vectors and 20 bytes for each; each is read three times at most."""
        count = read_options(self._options, options).lists(len(vectors))
        sorter = sorter_of(vectors, count)
        lists = write_order(folder, vectors, sorter)
        save_array(folder / CENTROIDS, "<f4", sorter.centroids.shape, [sorter.centroids])
        save_array(folder / CODES, "<f4", vectors.shape, _in_lists(vectors, lists, progress))

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> VectorLists:
        """Map the lists into memory, or read them."""
        read = read_options(self._options, options)
        lists = read_lists(folder, count, "<f4", dimension)
        codes = open_vectors(folder / CODES, (count, dimension))
        lists = replace(lists, codes=np.array(codes) if self._in_memory else codes)
        quantizer = read_quantizer(folder, len(lists), dimension)
        index = faiss.IndexIVFFlat(quantizer, dimension, len(lists), faiss.METRIC_INNER_PRODUCT)
        return VectorLists(index, lists, read.probes(len(lists)))

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse wrong options."""
        read_options(self._options, options)


IN_MEMORY = VectorListKind(FlatListOptions, in_memory=True)
"""Target of the index name ``ivf-flat``."""

ON_DISK = VectorListKind(DiskListOptions, in_memory=False)
"""Target of the index name ``ivf-disk``."""


def _in_lists(vectors: Vectors, lists: Lists, progress: Progress | None) -> Iterator[Vectors]:
    for part in blocks(len(vectors)):
        yield vectors[lists.rows[part]]
        if progress is not None:
            progress(part.stop - part.start)
