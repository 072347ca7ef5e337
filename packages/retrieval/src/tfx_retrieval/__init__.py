"""Indexes of passages, and search over them by meaning.

Importing this package imports neither torch nor FAISS; each public name is imported on first use (PEP 562).
"""

from typing import TYPE_CHECKING

from tfx_core.first_use import on_first_use

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tfx_core.embedding import Passage
    from tfx_retrieval.hits import Hit, PassageSearch
    from tfx_retrieval.pairs import DprEncoder, EncoderPair, load_pair
    from tfx_retrieval.passage_file import check_metadata
    from tfx_retrieval.search import SearchIndex, build_index, open_index, write_index
    from tfx_retrieval.shards import merge_indexes
    from tfx_retrieval.sources import Collection
    from tfx_retrieval.where import Condition, conditions_of

_HOMES = {
    "Collection": "sources",
    "Condition": "where",
    "DprEncoder": "pairs",
    "EncoderPair": "pairs",
    "Hit": "hits",
    "Passage": "hits",
    "PassageSearch": "hits",
    "SearchIndex": "search",
    "build_index": "search",
    "check_metadata": "passage_file",
    "conditions_of": "where",
    "load_pair": "pairs",
    "merge_indexes": "shards",
    "open_index": "search",
    "write_index": "search",
}

__all__ = [
    "Collection",
    "Condition",
    "DprEncoder",
    "EncoderPair",
    "Hit",
    "Passage",
    "PassageSearch",
    "SearchIndex",
    "__version__",
    "build_index",
    "check_metadata",
    "conditions_of",
    "load_pair",
    "merge_indexes",
    "open_index",
    "write_index",
]

__getattr__, __dir__ = on_first_use(__name__, _HOMES, __all__)
