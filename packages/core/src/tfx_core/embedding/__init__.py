"""Texts as vectors: encoders with their pooling, and the interface of what finds passages by vector."""

from tfx_core.embedding.encoder import TextEncoder, cut_untold, load_encoder
from tfx_core.embedding.passage_index import (
    Allowed,
    EditableIndex,
    Metadata,
    Passage,
    PassageBatch,
    PassageIndex,
    RowNumbers,
    StoreKind,
    VectorIndex,
    VectorKind,
    Vectors,
    Where,
)
from tfx_core.embedding.pooling import POOLINGS, Pooling, pool, real_states
from tfx_core.embedding.sentence_folder import Dense, Normalize

__all__ = [
    "POOLINGS",
    "Allowed",
    "Dense",
    "EditableIndex",
    "Metadata",
    "Normalize",
    "Passage",
    "PassageBatch",
    "PassageIndex",
    "Pooling",
    "RowNumbers",
    "StoreKind",
    "TextEncoder",
    "VectorIndex",
    "VectorKind",
    "Vectors",
    "Where",
    "cut_untold",
    "load_encoder",
    "pool",
    "real_states",
]
