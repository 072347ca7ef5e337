"""Building, keeping and searching an index of passages: text in, passages out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfx_core.checkpoint import Folder
from tfx_core.embedding import Passage, PassageBatch, PassageIndex, RowNumbers, Vectors, Where
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval.embedding import Progress, check_model, embed, identify
from tfx_retrieval.folder import checked_manifest, of_one_build, place_of, read_folder
from tfx_retrieval.hits import Hit
from tfx_retrieval.manifest import Manifest, ModelIdentity
from tfx_retrieval.probes import SAME_RESULT, Encoder, distance, probe, read_probes
from tfx_retrieval.spool import CHUNK, Spool, chunks, spooled
from tfx_retrieval.writing import replaced_in, write_folder


class SearchIndex:
    """An open index, with the encoder that questions go through if there is one."""

    def __init__(self, index: PassageIndex, manifest: Manifest, encoder: Encoder | None = None) -> None:
        self.index = index
        self.manifest = manifest
        self.encoder = encoder

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self.index.dimension

    def __len__(self) -> int:
        return len(self.index)

    def search(
        self, questions: Sequence[str], k: int = 5, *, where: Where | None = None, at_least: float | None = None
    ) -> list[list[Hit]]:
        """Find the ``k`` best passages for each question, the best first.

        Only those that fit ``where``, see `tfx_core.embedding.Where`, and whose score is ``at_least`` so much.
        """
        if isinstance(questions, str):
            raise InputError("questions: give a list of questions, not one string")
        if self.encoder is None:
            raise InputError("the index was opened without an encoder; give one to open_index, or use search_vectors")
        if not questions:
            return []
        scores, rows = self.search_vectors(self.encoder.encode_query(questions), k, where=where)
        return [self._hits(*found, at_least) for found in zip(scores, rows, strict=True)]

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        """Find rows by vector: scores and rows, see `tfx_core.PassageIndex.search_vectors`."""
        return self.index.search_vectors(queries, k, where=where)

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows."""
        return self.index.passages(rows)

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return the vectors of these rows, (len(rows), D)."""
        return self.index.vectors(rows)

    def _hits(self, scores: Vectors, rows: RowNumbers, at_least: float | None) -> list[Hit]:
        least = -np.inf if at_least is None else at_least
        found = [
            (float(score), int(row)) for score, row in zip(scores, rows, strict=True) if row >= 0 and score >= least
        ]
        passages = self.passages([row for _, row in found])
        return [
            Hit(rank, score, row, passage)
            for rank, ((score, row), passage) in enumerate(zip(found, passages, strict=True), start=1)
        ]


def build_index(
    passages: Iterable[Passage],
    encoder: Encoder,
    folder: str | Path,
    *,
    kind: str = "flat",
    options: Mapping[str, str] | None = None,
    topic_prefix: bool = True,
    model: ModelIdentity | None = None,
    progress: Progress | None = None,
) -> SearchIndex:
    """Embed passages and keep them in a folder, which is replaced whole or, on any failure, left as it was.

    With ``topic_prefix`` a passage is embedded as ``"topic: text"``, or as the encoder's own ``encode_passages`` has
    it. ``passages`` is read once, a few thousand at a time. ``model`` says where the encoder comes from; by default its
    own ``name``, if it has one.

    What an interrupted or killed build had embedded lies beside the folder, in ``.NAME.building``: the next build takes
    it over as far as passages and encoder are the same, and the files are those of one build. Raises `InputError` for
    no passages at all, or a folder that holds anything but an index, and `PassageIndexError` when it cannot be written
    or another process builds it.
    """
    folder, options = place_of(folder), dict(options or {})
    manifest = _manifest(encoder, kind, options, topic_prefix=topic_prefix, model=model)
    with replaced_in(folder, kind, options) as place:
        probes = probe(encoder)
        spool = Spool(place, encoder.dimension, probes=probes, way=f"{topic_prefix} {CHUNK}")
        for chunk in chunks(passages, CHUNK):
            if spool.take_over(chunk):
                if progress is not None:
                    progress(len(chunk))
            else:
                spool.add(chunk, embed(encoder, chunk, topic_prefix=topic_prefix, progress=progress))
        write_folder(folder, spool, manifest, probes)
    return open_index(folder, encoder)


def _manifest(
    encoder: Encoder, kind: str, options: Mapping[str, str], *, topic_prefix: bool, model: ModelIdentity | None
) -> Manifest:
    """All that is known before the passages are."""
    return Manifest(
        kind=kind,
        count=0,
        dimension=encoder.dimension,
        passages="",
        topic_prefix=topic_prefix,
        model=model or identify(encoder),
        probed=True,
        options=options,
    )


def write_index(
    batches: Iterable[PassageBatch],
    folder: str | Path,
    *,
    dimension: int,
    kind: str = "flat",
    options: Mapping[str, str] | None = None,
) -> None:
    """Keep passages with vectors made elsewhere, (len(passages), dimension) float32 a batch; see `build_index`.

    Such an index is searched by vector, or with an encoder that is not checked against it.
    """
    folder, options = place_of(folder), dict(options or {})
    with replaced_in(folder, kind, options) as place:
        spool = spooled(place, batches, dimension)
        manifest = Manifest(kind, 0, dimension, "", topic_prefix=False, options=options)
        write_folder(folder, spool, manifest)


def open_index(
    folder: str | Path, encoder: Encoder | None = None, *, model: ModelIdentity | None = None
) -> SearchIndex:
    """Open an index folder after checking every file in it.

    ``encoder`` embeds the questions of `SearchIndex.search`, and ``model`` says where it comes from, as in
    `build_index`. Raises `PassageIndexError` for a folder that is no index, is damaged or cut short, or was made with
    another model than the encoder's. All of it is of one build, also while another build replaces the folder.
    """
    folder = place_of(folder)
    opened = read_folder(folder)
    if encoder is not None:
        check_model(folder, opened.manifest, opened.probes, encoder, model or identify(encoder))
    return SearchIndex(opened.index, opened.manifest, encoder)


def is_current(folder: Path, wanted: Manifest, encoder: Encoder) -> bool:
    """Say whether a folder holds what building again would give: passages, options and vectors, whole and undamaged."""

    def read(files: Folder) -> Vectors | None:
        manifest = checked_manifest(folder, files)
        as_wanted = replace(manifest, files={}, segments=()) == wanted
        return read_probes(folder, manifest.dimension) if as_wanted else None

    try:
        probes = of_one_build(folder, read)
    except PassageIndexError:
        return False
    return probes is not None and distance(probes, probe(encoder)) <= SAME_RESULT
