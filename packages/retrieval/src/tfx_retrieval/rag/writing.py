"""Generation by all documents of a question: RAG-token's at every token, RAG-sequence's of whole texts."""

from collections.abc import Mapping
from typing import Any


def generate(model: Any, given: Mapping[str, Any]) -> Any:
    raise NotImplementedError
