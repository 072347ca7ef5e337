"""What recognises passages: SHA-256 over all that is theirs."""

import hashlib
import json

from tfx_core.embedding import Passage

_METADATA = b"\xff" * 8
"""Stands before metadata: the length of no field."""


class PassageDigest:
    """SHA-256 over passages as they come, each field with its length so that no two collections look alike."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, passage: Passage) -> None:
        """Take in the next passage."""
        for field in (passage.id, passage.topic, passage.text):
            self._add(field)
        if passage.metadata:
            self._hash.update(_METADATA)
            self._add(json.dumps(dict(passage.metadata), sort_keys=True))

    def _add(self, field: str) -> None:
        encoded = field.encode("utf-8", "surrogatepass")
        self._hash.update(len(encoded).to_bytes(8, "little") + encoded)

    def value(self) -> str:
        """Give the digest of what was added so far, in hexadecimal."""
        return self._hash.hexdigest()
