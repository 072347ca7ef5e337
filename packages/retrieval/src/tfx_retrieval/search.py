"""Building, keeping and searching an index of passages: text in, passages out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfx_core.checkpoint import Folder, save_errors
from tfx_core.embedding import EditableIndex, Passage, PassageBatch, PassageIndex, RowNumbers, Vectors, Where
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval.changing import batches_of, changing, keeps_vectors
from tfx_retrieval.embedding import Progress, check_model, embed, identify
from tfx_retrieval.folder import check_lexical, checked_manifest, kept_options, of_one_build, place_of, read_folder
from tfx_retrieval.fusion import FusedSearch, fused
from tfx_retrieval.hits import Hit
from tfx_retrieval.lexical import WordSearch
from tfx_retrieval.manifest import Manifest, ModelIdentity
from tfx_retrieval.metadata import document_of
from tfx_retrieval.probes import SAME_RESULT, Encoder, distance, probe, read_probes
from tfx_retrieval.segments import SegmentedIndex
from tfx_retrieval.spool import CHUNK, Spool, chunks, spooled, working_beside
from tfx_retrieval.writing import replaced_in, write_folder


class SearchIndex:
    """An open index, with the encoder that questions go through if there is one."""

    def __init__(
        self, index: PassageIndex, manifest: Manifest, encoder: Encoder | None = None, folder: Path | None = None
    ) -> None:
        self.index = index
        self.manifest = manifest
        self.encoder = encoder
        self.folder = folder
        """Where it was opened; None where it is in no folder, so that it cannot be changed."""

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
        if not questions:
            return []
        queries = _given(self.encoder).encode_query(questions)
        index = self.index  # another one takes its place when it is changed
        found = zip(*index.search_vectors(queries, k, where=where), strict=True)
        return [_hits(index, scores, rows, at_least) for scores, rows in found]

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        """Find rows by vector: scores and rows, see `tfx_core.PassageIndex.search_vectors`."""
        return self.index.search_vectors(queries, k, where=where)

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows."""
        return self.index.passages(rows)

    def each_passage(self) -> Iterator[tuple[int, Passage]]:
        """Give every passage that can be found, with its row; an index that a service keeps cannot."""
        if not isinstance(self.index, SegmentedIndex):
            raise InputError(f"{self.manifest.kind} does not list its passages; say what is right in a qrels file")
        allowed = self.index.allowed()
        for row in range(self.index.rows) if allowed is None else np.flatnonzero(allowed).tolist():
            yield row, self.passages([row])[0]

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return the vectors of these rows, (len(rows), D)."""
        return self.index.vectors(rows)

    @property
    def by_words(self) -> WordSearch:
        """The search by words, where the index was built with ``lexical``; the scores are BM25's."""
        if not isinstance(self.index, SegmentedIndex) or self.index.words is None:
            raise InputError("the index has no words to search by; build it with lexical=True (--lexical)")
        return WordSearch(self.index.words, self.index.passages, self.index.allowed)

    def hybrid(self) -> FusedSearch:
        """Search by vectors, which count twice, and by words together; see `tfx_retrieval.fusion.fused`."""
        return fused([self, self.by_words], weights=(2, 1))

    def add(self, passages: Iterable[Passage], *, progress: Progress | None = None) -> int:
        """Embed passages and add them after those that there are; gives their number.

        An id that a passage of the index has is an `InputError`. As any change it is there whole or not at all, one
        process makes it at a time, and whoever else has the index open goes on with what it opened.
        """
        if isinstance(self.index, EditableIndex):
            return self._changed(self.index.add(self._embedded(passages, progress)))
        with changing(self._place()) as (change, place):
            spool = self._spooled(place, passages, progress, change.refuse_known)
            change.apply(spool)
            return self._changed(spool.count)

    def delete(self, ids: Sequence[str], *, documents: bool = False) -> int:
        """Delete the passages of these ids; gives their number. Rows keep their numbers until `compact`.

        With ``documents`` an id stands also for the pieces of a document that was cut, ``id#1``, ``id#2``, … An id that
        there is not is an `InputError`, and nothing is deleted.
        """
        if isinstance(ids, str):
            raise InputError("ids: give a list of ids, not one string")
        if isinstance(self.index, EditableIndex):
            return self._changed(self.index.delete(ids, documents=documents))
        with changing(self._place(), embedding=False) as (change, _):
            number = change.delete(ids, documents=documents)
            change.apply()
            return self._changed(number)

    def replace(self, passages: Iterable[Passage], *, documents: bool = False, progress: Progress | None = None) -> int:
        """Embed passages and put them in the places of those with their ids, which there must be; see `delete`.

        Gives the number of new ones. They come after all others: a row is never one of another passage.
        """
        if isinstance(self.index, EditableIndex):
            return self._changed(self.index.replace(self._embedded(passages, progress), documents=documents))
        with changing(self._place()) as (change, place):
            given = list(passages)
            change.delete([document_of(each.id) if documents else each.id for each in given], documents=documents)
            spool = self._spooled(place, given, progress)
            change.apply(spool)
            return self._changed(spool.count)

    def compact(self, *, progress: Progress | None = None) -> None:
        """Write what was not deleted as one segment, as building it would; rows get new numbers.

        Where the kind of index does not keep the vectors as they were, the passages are embedded again.
        """
        folder = self._place()
        with save_errors(folder, PassageIndexError), working_beside(folder) as place:
            opened = read_folder(folder, self.manifest)
            if keeps_vectors(opened.manifest):
                spool = spooled(place, batches_of(opened), self.dimension)
            else:
                passages = (passage for passages, _ in batches_of(opened) for passage in passages)
                spool = self._spooled(place, passages, progress)
            write_folder(folder, spool, replace(opened.manifest, shard=""), opened.probes)
        self._changed(0)

    def _place(self) -> Path:
        if self.folder is None:
            raise InputError("the index was not opened in a folder, so that it cannot be changed")
        return self.folder

    def _spooled(
        self,
        place: Path,
        passages: Iterable[Passage],
        progress: Progress | None,
        check: Callable[[Sequence[Passage]], None] = lambda passages: None,
    ) -> Spool:
        encoder = _given(self.encoder)
        return embedded(place, passages, encoder, probe(encoder), self.manifest.topic_prefix, progress, check)

    def _embedded(self, passages: Iterable[Passage], progress: Progress | None) -> Iterator[PassageBatch]:
        encoder, prefix = _given(self.encoder), self.manifest.topic_prefix
        return (
            (some, embed(encoder, some, topic_prefix=prefix, progress=progress)) for some in chunks(passages, CHUNK)
        )

    def _changed(self, number: int) -> int:
        """Go on with what the folder holds now; gives the number."""
        if self.folder is not None and not isinstance(self.index, EditableIndex):
            opened = read_folder(self.folder, self.manifest)
            self.index, self.manifest = opened.index, opened.manifest
        return number


def _given(encoder: Encoder | None) -> Encoder:
    if encoder is None:
        raise InputError("the index was opened without an encoder; give one to open_index, or use search_vectors")
    return encoder


def _hits(index: PassageIndex, scores: Vectors, rows: RowNumbers, at_least: float | None) -> list[Hit]:
    least = -np.inf if at_least is None else at_least
    pairs = zip(scores.tolist(), rows.tolist(), strict=True)
    found = [(score, row) for score, row in pairs if row >= 0 and score >= least]
    passages = index.passages([row for _, row in found])
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
    lexical: bool = False,
    model: ModelIdentity | None = None,
    shard: str = "",
    progress: Progress | None = None,
    indexing: Progress | None = None,
) -> SearchIndex:
    """Embed passages and keep them in a folder, which is replaced whole or, on any failure, left as it was.

    With ``topic_prefix`` a passage is embedded as ``"topic: text"``, or as the encoder's own ``encode_passages`` has
    it. With ``lexical`` it is also found by its words, see `SearchIndex.by_words`. ``passages`` is read once, a few
    thousand at a time. ``model`` says where the encoder comes from; by default its own ``name``, if it has one.
    ``shard`` is what `tfx_retrieval.shards` has to know of a part. ``progress`` hears how many more passages are
    embedded, and then ``indexing`` of how many the kind of index has written what it keeps.

    What an interrupted or killed build had embedded lies beside the folder, in ``.NAME.building``: the next build takes
    it over as far as passages and encoder are the same, and the files are those of one build. Raises `InputError` for
    no passages at all, or a folder that holds anything but an index, and `PassageIndexError` when it cannot be written
    or another process builds it.
    """
    folder, options = place_of(folder), kept_options(kind, options)
    manifest = Manifest(
        kind=kind,
        count=0,
        dimension=encoder.dimension,
        passages="",
        topic_prefix=topic_prefix,
        model=model or identify(encoder),
        probed=True,
        options=options,
        lexical=lexical,
        shard=shard,
    )
    check_lexical(manifest)
    with replaced_in(folder) as place:
        probes = probe(encoder)
        spool = embedded(place, passages, encoder, probes, topic_prefix, progress)
        write_folder(folder, spool, manifest, probes, indexing)
    return open_index(folder, encoder)


def embedded(
    place: Path,
    passages: Iterable[Passage],
    encoder: Encoder,
    probes: Vectors,
    topic_prefix: bool,
    progress: Progress | None = None,
    check: Callable[[Sequence[Passage]], None] = lambda passages: None,
) -> Spool:
    """A spool of passages and their vectors, of which those that an earlier process embedded are not embedded again."""
    spool = Spool(place, encoder.dimension, probes=probes, way=f"{topic_prefix} {CHUNK}")
    for chunk in chunks(passages, CHUNK):
        check(chunk)
        if not spool.take_over(chunk):
            spool.add(chunk, embed(encoder, chunk, topic_prefix=topic_prefix, progress=progress))
        elif progress is not None:
            progress(len(chunk))
    return spool


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
    folder, options = place_of(folder), kept_options(kind, options)
    with replaced_in(folder) as place:
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
    return SearchIndex(opened.index, opened.manifest, encoder, folder)


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
