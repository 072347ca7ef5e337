"""A corpus as ids: documents, their sentences and their words, in arrays that may be mapped from files."""

from tfx_training.corpus.documents import Document, Part
from tfx_training.corpus.preparing import Prepared, prepared_corpus
from tfx_training.corpus.reading import read_documents
from tfx_training.corpus.records import Reading
from tfx_training.corpus.sources import find_sources, source_bytes
from tfx_training.corpus.store import open_corpus, write_corpus
from tfx_training.corpus.tokens import TokenCorpus, Tokens

__all__ = [
    "Document",
    "Part",
    "Prepared",
    "Reading",
    "TokenCorpus",
    "Tokens",
    "find_sources",
    "open_corpus",
    "prepared_corpus",
    "read_documents",
    "source_bytes",
    "write_corpus",
]
