"""Texts as vectors: encoders with their pooling, and the interface of what finds passages by vector.

Importing this package does not import torch, so that what works on an index alone begins at once.
"""

from typing import TYPE_CHECKING

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
from tfx_core.first_use import on_first_use

if TYPE_CHECKING:
    from tfx_core.embedding.encoder import TextEncoder, cut_untold, load_encoder
    from tfx_core.embedding.pooling import POOLINGS, Pooling, pool, real_states
    from tfx_core.embedding.sentence_folder import Dense, Normalize

_HOMES = {
    **dict.fromkeys(("TextEncoder", "cut_untold", "load_encoder"), "encoder"),
    **dict.fromkeys(("POOLINGS", "Pooling", "pool", "real_states"), "pooling"),
    **dict.fromkeys(("Dense", "Normalize"), "sentence_folder"),
}

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

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
