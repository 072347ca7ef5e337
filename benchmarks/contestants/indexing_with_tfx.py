"""A kind of index of tfx; arguments as `indexing` has them."""

from pathlib import Path
from typing import cast

import numpy as np
from indexing import Search, compete

from tfx_core import IndexSpec
from tfx_core.embedding import VectorKind
from tfx_core.plugins import registry


def build(kind: str, target: Path, vectors: np.ndarray) -> None:
    """Write the files of the kind, with its default options."""
    target.mkdir()
    cast(VectorKind, registry.load(IndexSpec, kind)).write(target, vectors, options={})


def opened(kind: str, target: Path) -> Search:
    """Map what was written."""
    count, dimension = np.load(target.parent / "vectors.npy", mmap_mode="r").shape
    index = cast(VectorKind, registry.load(IndexSpec, kind)).open(target, count=count, dimension=dimension, options={})
    return lambda queries, k: index.search(queries, k)[1]


compete(build, opened)
