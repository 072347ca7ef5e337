"""Indexes of passages, and search over them by meaning.

Importing this package imports neither torch nor FAISS; each public name is imported on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfx_core.embedding import Passage
    from tfx_retrieval.hits import Hit, PassageSearch
    from tfx_retrieval.pairs import DprEncoder, EncoderPair, load_pair
    from tfx_retrieval.search import SearchIndex, build_index, open_index, write_index
    from tfx_retrieval.shards import merge_indexes
    from tfx_retrieval.sources import Collection

_HOMES = {
    "Collection": "tfx_retrieval.sources",
    "DprEncoder": "tfx_retrieval.pairs",
    "EncoderPair": "tfx_retrieval.pairs",
    "Hit": "tfx_retrieval.hits",
    "Passage": "tfx_core.embedding.passage_index",
    "PassageSearch": "tfx_retrieval.hits",
    "SearchIndex": "tfx_retrieval.search",
    "build_index": "tfx_retrieval.search",
    "load_pair": "tfx_retrieval.pairs",
    "merge_indexes": "tfx_retrieval.shards",
    "open_index": "tfx_retrieval.search",
    "write_index": "tfx_retrieval.search",
}

__all__ = [
    "Collection",
    "DprEncoder",
    "EncoderPair",
    "Hit",
    "Passage",
    "PassageSearch",
    "SearchIndex",
    "__version__",
    "build_index",
    "load_pair",
    "merge_indexes",
    "open_index",
    "write_index",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tfx_retrieval' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
