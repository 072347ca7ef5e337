"""An encoder without a model: texts that share words lie close together."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from tfx_core.embedding.passage_index import Vectors
from tfx_retrieval.probes import DOCUMENTS


class FakeEncoder:
    """Adds up one pseudo-random vector a word; ``seed`` makes another model of it."""

    def __init__(self, seed: str = "", dimension: int = 16, name: str | None = "fake") -> None:
        self.seed = seed
        self.dimension = dimension
        self.name = name
        self.encoded: list[str] = []

    def encode_document(self, texts: Sequence[str], *, progress: Callable[[int], object] | None = None) -> Vectors:
        self.encoded.extend(text for text in texts if text not in DOCUMENTS)
        if progress is not None:
            progress(len(texts))
        return np.stack([self._vector(text) for text in texts])

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> Vectors:
        total = np.zeros(self.dimension)
        for word in text.lower().replace(":", " ").split():
            seed = int.from_bytes(hashlib.sha256((self.seed + word).encode()).digest()[:8], "little")
            total += np.random.default_rng(seed).standard_normal(self.dimension)
        return (total / max(float(np.linalg.norm(total)), 1e-9)).astype(np.float32)
