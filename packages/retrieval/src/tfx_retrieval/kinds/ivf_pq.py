"""``ivf-pq``: lists of vectors of which only a code is kept, some 1/20 of their size.

Jégou, Douze and Schmid, "Product quantization for nearest neighbor search" (2011): what a vector has beyond the
centroid of its list is cut into pieces, and of each piece the number of the nearest in a codebook is kept. Before, it
is turned so that the pieces vary alike: Ge et al., "Optimized Product Quantization" (2013), in its parametric form,
which deals out the principal axes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from tfx_core.embedding import Allowed, RowNumbers, VectorKind, Vectors
from tfx_core.errors import InputError
from tfx_core.fields import Between, Help
from tfx_retrieval.kinds.lists import (
    CENTROIDS,
    CODES,
    SEED,
    ListOptions,
    Lists,
    ListSearch,
    Sorter,
    read_lists,
    read_quantizer,
    sampled,
    sorter_of,
    write_order,
)
from tfx_retrieval.kinds.native import Found, Progress, blocks, open_vectors, save_array
from tfx_retrieval.kinds.options import read_options

CODEBOOKS, ROTATION = "codebooks.npy", "rotation.npy"

_SAMPLE = 1 << 15
"""Vectors that rotation and codebooks are made from."""


@dataclass(frozen=True, kw_only=True)
class ProductOptions(ListOptions):
    """Options of ``ivf-pq``; what is the default of those about pieces, a folder does not say: it stays."""

    kind: ClassVar[str] = "ivf-pq"

    pq_m: Annotated[
        Annotated[int, Between(1, 1 << 16)] | None, Help("pieces of a vector (default: a sixth of its numbers)")
    ] = None
    pq_bits: Annotated[int, Between(4, 8), Help("bits for each piece")] = 8

    def pieces(self, dimension: int) -> int:
        """How many pieces a vector is cut into."""
        if self.pq_m is not None and self.pq_m > dimension:
            raise InputError(f"index option pq_m={self.pq_m}: the vectors have only {dimension} numbers")
        return self.pq_m or max(1, dimension // 6)

    def quantizer(self, dimension: int) -> Any:
        """An empty quantizer; the pieces are of one length, the last of them filled up with zeros."""
        pieces = self.pieces(dimension)
        return faiss.ProductQuantizer(pieces * -(-dimension // pieces), pieces, self.pq_bits)


class ProductLists(ListSearch):
    """Codes in lists; see `tfx_core.embedding.VectorIndex`."""

    def __init__(self, index: Any, lists: Lists, probes: int, rotation: Vectors, dimension: int) -> None:
        super().__init__(index, lists, probes)
        self._rotation = rotation
        self._dimension = dimension

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None) -> Found:
        """Compare the queries, as they are, with the vectors as the codes have them."""
        return super().search(_turned(queries, self._rotation), k, allowed)

    def vectors(self, rows: RowNumbers) -> Vectors:
        """Return the vectors of these rows as the codes have them."""
        places = self.lists.places[rows]
        lists = self.lists.lists_of(places)
        residuals = self._index.pq.decode(np.ascontiguousarray(self.lists.codes[places]))
        centroids = self._index.quantizer.reconstruct_batch(lists)
        return np.ascontiguousarray(((centroids + residuals) @ self._rotation)[:, : self._dimension])


class ProductKind(VectorKind):
    """Keeps `ProductLists` in a folder."""

    def write(
        self, folder: Path, vectors: Vectors, *, options: Mapping[str, str], progress: Progress | None = None
    ) -> None:
        """Hold no more than a sample, a block of vectors and 20 bytes for each; each is read three times at most."""
        read = read_options(ProductOptions, options)
        quantizer = read.quantizer(vectors.shape[1])
        sorter = sorter_of(vectors, read.lists(len(vectors)))
        rotation = _train(quantizer, vectors, sorter)
        lists = write_order(folder, vectors, sorter)
        centroids = _turned(sorter.centroids, rotation)
        codebooks = faiss.vector_to_array(quantizer.centroids).reshape(_codebooks_shape(quantizer))
        for name, array in ((CENTROIDS, centroids), (ROTATION, rotation), (CODEBOOKS, codebooks)):
            save_array(folder / name, "<f4", array.shape, [array])

        def coded() -> Iterator[NDArray[np.uint8]]:
            for part in blocks(len(vectors)):
                of = lists.lists_of(np.arange(part.start, part.stop))
                turned = _turned(vectors[lists.rows[part]], rotation)
                yield quantizer.compute_codes(turned - centroids[of])
                if progress is not None:
                    progress(part.stop - part.start)

        save_array(folder / CODES, "|u1", (len(vectors), quantizer.code_size), coded())

    def open(self, folder: Path, *, count: int, dimension: int, options: Mapping[str, str]) -> ProductLists:
        """Map the codes into memory."""
        read = read_options(ProductOptions, options)
        quantizer = read.quantizer(dimension)
        length = quantizer.d
        codebooks = open_vectors(folder / CODEBOOKS, _codebooks_shape(quantizer))
        rotation = np.array(open_vectors(folder / ROTATION, (length, length)))
        lists = read_lists(folder, count, "|u1", quantizer.code_size)
        coarse = read_quantizer(folder, len(lists), length)
        index = faiss.IndexIVFPQ(coarse, length, len(lists), quantizer.M, read.pq_bits, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(np.array(codebooks).reshape(-1), index.pq.centroids)
        return ProductLists(index, lists, read.probes(len(lists)), rotation, dimension)

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse wrong options."""
        read_options(ProductOptions, options)


KIND = ProductKind()
"""Target of the index name ``ivf-pq``."""


def _train(quantizer: Any, vectors: Vectors, sorter: Sorter) -> Vectors:
    """Make the codebooks of the quantizer, and the rotation that goes before them."""
    sample = sampled(vectors, _SAMPLE)
    residuals = _filled(sample - sorter.centroids[sorter.lists_of(sample)], quantizer.d)
    rotation = _balancing(residuals, quantizer.M)
    needed = max(len(residuals), quantizer.ksub)  # of fewer vectors than entries, each is an entry, several times
    quantizer.cp.seed, quantizer.cp.niter = SEED, 10
    quantizer.cp.min_points_per_centroid = 1
    quantizer.train(np.resize(_turned(residuals, rotation), (needed, quantizer.d)))
    return rotation


def _balancing(vectors: Vectors, pieces: int) -> Vectors:
    """The rotation to principal axes, each dealt to the piece that varies least so far and has room, (E, E)."""
    variances, axes = np.linalg.eigh(np.cov(vectors, rowvar=False, bias=True).reshape(vectors.shape[1], -1))
    room = len(variances) // pieces
    dealt: list[list[int]] = [[] for _ in range(pieces)]
    logarithms = np.log(np.maximum(variances, variances.max() * 1e-6 + 1e-30))
    spread = np.zeros(pieces)  # of the product of variances, which says how large a piece's error is
    for axis in np.argsort(-variances, kind="stable"):
        piece = min((each for each in range(pieces) if len(dealt[each]) < room), key=lambda each: spread[each])
        dealt[piece].append(int(axis))
        spread[piece] += logarithms[axis] - logarithms.min()
    return np.ascontiguousarray(axes[:, np.concatenate(dealt)].T, dtype=np.float32)


def _filled(vectors: Vectors, length: int) -> Vectors:
    """Vectors with zeros up to a length, (N, D) -> (N, E)."""
    return np.pad(vectors, ((0, 0), (0, length - vectors.shape[1])))


def _turned(vectors: Vectors, rotation: Vectors) -> Vectors:
    return np.ascontiguousarray(_filled(vectors, len(rotation)) @ rotation.T, dtype=np.float32)


def _codebooks_shape(quantizer: Any) -> tuple[int, int]:
    """Those of all pieces, one after the other: (M · 2^bits, E / M)."""
    return quantizer.M * quantizer.ksub, quantizer.dsub
