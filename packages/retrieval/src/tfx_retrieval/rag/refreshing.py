"""An index whose vectors are made anew by an encoder that learns, while it is searched."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfx_core.embedding import Passage, RowNumbers, Vectors, Where
from tfx_core.errors import InputError
from tfx_retrieval.embedding import Progress
from tfx_retrieval.folder import place_of
from tfx_retrieval.hits import Hit
from tfx_retrieval.probes import Encoder
from tfx_retrieval.search import SearchIndex, build_index, open_index


class RefreshedIndex:
    """The index of a folder; `refresh` gives all of its passages new vectors and swaps them in whole.

    A search has all of its answer from the index before, or all of it from the one after. The folder is replaced as
    `tfx_retrieval.build_index` replaces it: who opened it before keeps what was opened, and a refresh that fails or is
    interrupted leaves it as it was. The folder says of its model what ``encoder.name`` is then. Raises what
    `tfx_retrieval.open_index` raises.
    """

    def __init__(self, folder: str | Path, encoder: Encoder) -> None:
        self.folder = place_of(folder)
        self.encoder = encoder
        self.current: SearchIndex = open_index(folder, encoder)
        if self.current.manifest.deleted:
            raise InputError(f"{folder}: has deleted passages; compact it first (tfx-core index compact)")
        self.refreshes = 0
        """How often it was made anew."""

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self.current.dimension

    def __len__(self) -> int:
        return len(self.current)

    def search(self, questions: Sequence[str], k: int = 5, *, where: Where | None = None) -> list[list[Hit]]:
        """As `tfx_retrieval.SearchIndex.search`."""
        return self.current.search(questions, k, where=where)

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        """As `tfx_core.PassageIndex.search_vectors`."""
        return self.current.search_vectors(queries, k, where=where)

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """The passages of these rows, which a refresh does not change."""
        return self.current.passages(rows)

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """The vectors of these rows, (len(rows), D)."""
        return self.current.vectors(rows)

    def refresh(self, *, progress: Progress | None = None) -> None:
        """Embed every passage with the encoder as it is now, and search in that from then on."""
        old, kept = self.current, self.current.manifest
        self.current = build_index(
            old.passages(np.arange(len(old))),
            self.encoder,
            self.folder,
            kind=kept.kind,
            options=kept.options,
            topic_prefix=kept.topic_prefix,
            progress=progress,
        )
        self.refreshes += 1
