"""Recognising the model behind an index by what it does: the vectors of a few fixed texts, kept with the index.

Two encoders belong to one index when they put the same text in the same place. That is asked of the encoder itself, so
it holds for a model in memory, in another number type, saved under other file names or reached over a network, and it
notices other weights, another pooling, length limit, prompt or tokenizer alike.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from tfx_core.embedding import Passage, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval.arrays import are_searchable, open_array

PROBES = "probes.npy"

QUERIES = (
    "Which River flows through Paris, and when was its oldest bridge built?",
    "Żółw, naïveté & 東京タワー — 3.14 (x ≠ y)",
)
DOCUMENTS = (*QUERIES, " ".join(f"Sentence {number} ends here." for number in range(100)))  # longer than most limits

SAME_MODEL = 0.1
"""Largest relative distance at which vectors come from one model, in whatever number type."""

SAME_RESULT = 1e-4
"""Largest relative distance at which building again would change nothing."""


class Encoder(Protocol):
    """What turns text into vectors: `tfx_core.TextEncoder`, or a pair of encoders for questions and for passages."""

    @property
    def dimension(self) -> int:
        """Length D of the vectors."""
        ...

    def encode_document(self, texts: Sequence[str], *, progress: Callable[[int], object] | None = None) -> Vectors:
        """Return the vectors of texts that are searched in, (len(texts), D); ``progress`` hears how many are new."""
        ...

    def encode_query(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts that are searched for, (len(texts), D)."""
        ...


@runtime_checkable
class PassageEncoder(Protocol):
    """An `Encoder` that puts topic and text of a passage together in its own way, as DPR does."""

    def encode_passages(
        self, passages: Sequence[Passage], *, progress: Callable[[int], object] | None = None
    ) -> Vectors:
        """Return the vectors of passages, (len(passages), D); ``progress`` hears how many are new."""
        ...


def probe(encoder: Encoder) -> Vectors:
    """Encode the fixed texts, those for documents and then those for queries, (len(DOCUMENTS) + len(QUERIES), D).

    Raises `InputError` for an encoder that gives nan or inf.
    """
    from tfx_core.embedding import cut_untold  # here, for it imports torch

    with cut_untold():
        probes = np.concatenate([encoder.encode_document(DOCUMENTS), encoder.encode_query(QUERIES)]).astype(np.float32)
    if not are_searchable(probes):
        raise InputError("the encoder gives vectors that hold nan or inf, or their squares do")
    return probes


def read_probes(folder: Path, dimension: int) -> Vectors:
    """Read what `probe` gave when the index was built."""
    path = folder / PROBES
    probes = open_array(path, "<f4", (len(DOCUMENTS) + len(QUERIES), dimension))
    if not are_searchable(probes):
        raise PassageIndexError(f"{path}: holds nan or inf, or its squares do; build the index again")
    return np.asarray(probes)


def distance(probes: Vectors, others: Vectors) -> float:
    """Give the largest relative distance between the vectors of one text; infinite when their lengths differ."""
    if probes.shape != others.shape:
        return float("inf")
    apart = np.linalg.norm(probes - others, axis=-1)
    return float(np.max(apart / np.maximum(np.linalg.norm(probes, axis=-1), 1e-12)))
