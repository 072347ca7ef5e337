"""Texts as vectors: encoders with their pooling, and the interface of what finds passages by vector."""

from tfx_core.embedding.encoder import TextEncoder, cut_untold, load_encoder
from tfx_core.embedding.passage_index import (
    Passage,
    PassageBatch,
    PassageIndex,
    PassageIndexKind,
    RowNumbers,
    Vectors,
)
from tfx_core.embedding.pooling import POOLINGS, Pooling, pool

__all__ = [
    "POOLINGS",
    "Passage",
    "PassageBatch",
    "PassageIndex",
    "PassageIndexKind",
    "Pooling",
    "RowNumbers",
    "TextEncoder",
    "Vectors",
    "cut_untold",
    "load_encoder",
    "pool",
]
