"""A corpus as ids: documents, their sentences and their words, in arrays that may be mapped from files."""

from tfx_training.corpus.documents import Document, Part
from tfx_training.corpus.tokens import TokenCorpus, Tokens

__all__ = ["Document", "Part", "TokenCorpus", "Tokens"]
