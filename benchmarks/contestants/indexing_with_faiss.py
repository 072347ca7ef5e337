"""The same kind of index by FAISS alone, in its own file, with the same parameters; arguments as for `indexing`."""

from pathlib import Path

import faiss
import numpy as np
from indexing import Search, compete

from tfx_retrieval.kinds.hnsw import HnswOptions
from tfx_retrieval.kinds.ivf_pq import ProductOptions


def build(kind: str, target: Path, vectors: np.ndarray) -> None:
    """Train, add and write; product codes without a rotation and polysemous order, which take FAISS minutes."""
    count, dimension = vectors.shape
    lists, pieces = ProductOptions().lists(count), ProductOptions().pieces(dimension)
    recipes = {
        "hnsw": f"HNSW{HnswOptions().m},Flat",
        "ivf-flat": f"IVF{lists},Flat",
        "ivf-pq": f"IVF{lists},PQ{pieces}np",
        "sq8": "SQ8",
    }
    index = faiss.index_factory(dimension, recipes[kind], faiss.METRIC_INNER_PRODUCT)
    if kind == "hnsw":
        index.hnsw.efConstruction = HnswOptions().ef_construction
    index.train(np.ascontiguousarray(vectors))
    index.add(np.ascontiguousarray(vectors))
    faiss.write_index(index, str(target))


def opened(kind: str, target: Path) -> Search:
    """Read the file."""
    index = faiss.read_index(str(target))
    if kind == "hnsw":
        index.hnsw.efSearch = HnswOptions().ef_search
    if kind.startswith("ivf"):
        lists = faiss.extract_index_ivf(index)
        lists.nprobe = ProductOptions().probes(lists.nlist)
    return lambda queries, k: index.search(queries, k)[1]


compete(build, opened)
