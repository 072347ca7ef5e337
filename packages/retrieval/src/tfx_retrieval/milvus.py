"""Milvus keeps passages and vectors past one machine: a cluster, a server or, in a file, the embedded one.

A store is a collection under an alias, its name: a build fills a collection of its own and moves the alias, so that
whoever searches meanwhile finds the old passages until the new ones are there whole.
"""

import json
import os
import re
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np

from tfx_core.embedding import EditableIndex, Passage, PassageBatch, RowNumbers, StoreKind, Vectors, Where
from tfx_core.errors import InputError, PassageIndexError, in_one_line, shown
from tfx_retrieval.arrays import are_searchable
from tfx_retrieval.metadata import document_of
from tfx_retrieval.segments import check_queries
from tfx_retrieval.where import Condition, Value, conditions_of

if TYPE_CHECKING:
    from pymilvus import MilvusClient

TOKEN = "MILVUS_TOKEN"
"""Environment variable with the token of a cluster, ``user:password`` or an API key."""

_Record: TypeAlias = Mapping[str, Any]
_Item = TypeVar("_Item")

_LONGEST = 65_535
"""Bytes of a text that Milvus keeps."""

_MOST = 16_384
"""Results of one search or query."""

_TOGETHER = 500
"""Passages, rows, ids or questions of one call: within the size of a message, whatever their texts."""

_BOUNDS = {"at_least": ">=", "above": ">", "at_most": "<=", "below": "<"}

_EMBEDDED: Mapping[str, tuple[str, ...]] = {
    "AUTOINDEX": ("ef",),
    "FLAT": (),
    "HNSW": ("ef",),
    "HNSW_SQ": ("ef",),
    "IVF_FLAT": ("nprobe",),
    "IVF_SQ8": ("nprobe",),
}
"""Types of index that the embedded Milvus has, and the search parameters that it heeds."""


@dataclass(frozen=True)
class Settings:
    """Where a store is and how it is searched: the options of the index, read."""

    uri: str
    collection: str
    index_type: str = "AUTOINDEX"
    build: Mapping[str, object] = field(default_factory=dict)
    search: Mapping[str, object] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether it is a file of this machine, which one process has open at a time."""
        return "://" not in self.uri

    def __str__(self) -> str:
        return f"{self.uri} ({self.collection})"


def read_settings(options: Mapping[str, str]) -> Settings:
    """Read the options of a Milvus index, or raise an `InputError` that says which are allowed."""
    for name in options:
        if name in ("token", "user", "password"):
            raise InputError(f"index option {name!r}: would be kept in the index folder; set {TOKEN} instead")
        if name not in ("uri", "collection", "index_type") and not re.match(r"(build|search)\.\w", name):
            allowed = "uri, collection, index_type, build.PARAMETER and search.PARAMETER"
            raise InputError(f"index option {shown(name)}: a Milvus index has {allowed}")
    settings = Settings(
        _uri(options.get("uri", "")),
        _collection(options.get("collection", "")),
        options.get("index_type", "AUTOINDEX").upper(),
        build=_parameters(options, "build."),
        search=_parameters(options, "search."),
    )
    _check_embedded(settings)
    return settings


def _uri(uri: str) -> str:
    if "://" not in uri:
        if not uri.endswith(".db"):
            raise InputError(
                f"index option 'uri': {uri!r}; give a file that ends in .db, or the address of a server: http://HOST:19530"
            )
        return os.path.abspath(os.path.expanduser(uri))
    if "@" in uri:
        raise InputError(f"index option 'uri': holds a password, which would be kept in the index; set {TOKEN} instead")
    return uri


def _collection(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w{0,199}", name, re.ASCII):
        raise InputError(
            f"index option 'collection': {shown(name)}; give the name that the passages have in Milvus: "
            "up to 200 letters, digits and _, no digit first"
        )
    return name


def _parameters(options: Mapping[str, str], prefix: str) -> dict[str, object]:
    return {name.removeprefix(prefix): _value(text) for name, text in options.items() if name.startswith(prefix)}


def _value(text: str) -> object:
    try:
        return cast(object, json.loads(text))
    except ValueError:
        return text


def _check_embedded(settings: Settings) -> None:
    """Say what the embedded Milvus does not do with these settings."""
    if not settings.embedded:
        return
    if settings.index_type not in _EMBEDDED:
        raise InputError(
            f"index option 'index_type': the embedded Milvus has no {settings.index_type}, but {', '.join(_EMBEDDED)}; "
            "a server has more"
        )
    if ignored := sorted({*settings.search} - {*_EMBEDDED[settings.index_type]}):
        told = f"the embedded Milvus ignores search.{ignored[0]} for {settings.index_type}; a server may heed it"
        warnings.warn(told, stacklevel=4)


class MilvusIndex:
    """Passages in a Milvus collection; see `tfx_core.embedding.passage_index.EditableIndex`.

    The number of a passage's row is its primary key. Searches may come from any thread or process and see every change
    that was made before; changes are for one at a time. Milvus has no transactions: a change that fails is taken back,
    and who searches meanwhile may see part of it.
    """

    def __init__(self, settings: Settings, dimension: int, name: str) -> None:
        self.settings = settings
        self.name = name
        self._dimension = dimension
        self._connection: tuple[int, MilvusClient] | None = None

    @property
    def client(self) -> "MilvusClient":
        """The connection of this process: one that was opened before a fork serves the parent alone."""
        if self._connection is None or self._connection[0] != os.getpid():
            self._connection = os.getpid(), _connected(self.settings)
        return self._connection[1]

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self._dimension

    def __len__(self) -> int:
        return int(self._query("", ["count(*)"])[0]["count(*)"])

    def search_vectors(self, queries: Vectors, k: int, *, where: Where | None = None) -> tuple[Vectors, RowNumbers]:
        """Find rows by inner product: scores and rows, each (Q, min(k, len(self))), -inf and -1 where fewer fit."""
        queries = check_queries(queries, self.dimension, k)
        k = min(k, len(self))
        if k > _MOST:
            raise InputError(f"k: {k} passages were asked for; Milvus finds at most {_MOST} at once")
        scores = np.full((len(queries), k), -np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        if k:
            for position, hits in enumerate(self._hits(queries, k, self._narrowed(where))):
                best = sorted((-hit["distance"], hit["row"]) for hit in hits)
                scores[position, : len(best)] = [-score for score, _ in best]
                rows[position, : len(best)] = [row for _, row in best]
        return scores, rows

    def _hits(self, queries: Vectors, k: int, expression: str) -> Iterator[Sequence[_Record]]:
        for start in range(0, len(queries), _TOGETHER):
            with _errors_of(self.settings):
                yield from self.client.search(
                    self.name,
                    data=queries[start : start + _TOGETHER].tolist(),
                    limit=k,
                    anns_field="vector",
                    filter=expression,
                    output_fields=["row"],
                    search_params={"metric_type": "IP", "params": dict(self.settings.search)},
                )

    def passages(self, rows: Sequence[int] | RowNumbers) -> list[Passage]:
        """Return the passages of these rows."""
        found = self._of_rows(rows, ["text", "topic", "id", "metadata"])
        return [Passage(one["text"], one["topic"], one["id"], one["metadata"]) for one in found]

    def vectors(self, rows: Sequence[int] | RowNumbers) -> Vectors:
        """Return the vectors of these rows, (len(rows), D)."""
        found = [one["vector"] for one in self._of_rows(rows, ["vector"])]
        return np.asarray(found, np.float32).reshape(len(found), self.dimension)

    def add(self, batches: Iterable[PassageBatch]) -> int:
        """Add passages after those that there are; gives their number."""
        # while it is built nobody asks for the ids, which a source may give twice
        return self._added(batches, new=self.name == self.settings.collection)

    def _added(self, batches: Iterable[PassageBatch], *, new: bool) -> int:
        """The same; ids that there are already are an `InputError` where all must be ``new``."""
        first = row = self._next_row()
        try:
            for passages, vectors in batches:
                if new:
                    self._refuse_known([passage.id for passage in passages if passage.id])
                self._insert(_records(passages, vectors, row, self.dimension))
                row += len(passages)
        except BaseException:
            self._delete(f"row >= {first}")
            raise
        return row - first

    def delete(self, ids: Sequence[str], *, documents: bool = False) -> int:
        """Delete the passages of these ids, or of these documents; gives their number."""
        rows = self._rows_of(ids, documents=documents)
        self._delete_rows(rows)
        return len(rows)

    def replace(self, batches: Iterable[PassageBatch], *, documents: bool = False) -> int:
        """Put passages in the places of those with their ids: the new ones are there before the old ones go."""
        given = [(list(passages), vectors) for passages, vectors in batches]
        names = [passage.id for passages, _ in given for passage in passages]
        old = self._rows_of(list(map(document_of, names)) if documents else names, documents=documents)
        added = self._added(given, new=False)
        self._delete_rows(old)
        return added

    def _insert(self, records: Sequence[dict[str, Any]]) -> None:
        for together in _portions(records):
            with _errors_of(self.settings):
                self.client.insert(self.name, together)

    def _delete(self, expression: str) -> None:
        with _errors_of(self.settings):
            self.client.delete(self.name, filter=expression)

    def _delete_rows(self, rows: Sequence[int]) -> None:
        for together in _portions(rows):
            self._delete(f"row in {together}")

    def _query(self, expression: str, fields: Sequence[str], limit: int | None = None) -> list[_Record]:
        with _errors_of(self.settings):
            return list(self.client.query(self.name, filter=expression, output_fields=list(fields), limit=limit))

    def _of_rows(self, rows: Sequence[int] | RowNumbers, fields: Sequence[str]) -> list[_Record]:
        wanted = [int(row) for row in rows]
        found: dict[int, _Record] = {}
        for together in _portions(dict.fromkeys(wanted)):
            found |= {one["row"]: one for one in self._query(f"row in {together}", ["row", *fields])}
        if missing := [row for row in wanted if row not in found]:
            raise InputError(f"row {missing[0]}: {self.settings} has no passage of that number, or it was deleted")
        return [found[row] for row in wanted]

    def _refuse_known(self, ids: Sequence[str]) -> None:
        for together in _portions(ids):
            if known := self._query(_named(together), ["id"], 1):
                raise InputError(
                    f"{self.settings}: there is a passage with the id {shown(known[0]['id'])}; replace it instead"
                )

    def _rows_of(self, ids: Sequence[str], *, documents: bool) -> list[int]:
        wanted = dict.fromkeys(ids)
        found: list[_Record] = []
        for together in _portions(wanted):
            found += self._query(_named(together), ["row", "id"], _MOST)
        if documents:
            found += [piece for name in wanted for piece in self._pieces_of(name)]
        known = {one["id"] for one in found} | ({document_of(one["id"]) for one in found} if documents else set())
        if missing := [name for name in ids if name not in known]:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise InputError(f"id {shown(missing[0])}{more}: {self.settings} has no passage of that id")
        return sorted({one["row"] for one in found})

    def _pieces_of(self, document: str) -> list[_Record]:
        """The passages that the document was cut into; ``like`` finds more where its name has a wildcard."""
        found = self._query(f"id like {literal(document + '#%')}", ["row", "id"], _MOST)
        return [one for one in found if document_of(one["id"]) == document]

    def _next_row(self) -> int:
        """The row after the last: found by halves, for Milvus tells how many rows there are and not the highest."""
        low = len(self)
        if not self._query(f"row >= {low}", ["row"], 1):
            return low
        high = 2 * low + 1
        while self._query(f"row >= {high}", ["row"], 1):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._query(f"row >= {middle}", ["row"], 1) else (low, middle)
        return high

    def _narrowed(self, where: Where | None) -> str:
        for name in (condition.name for condition in conditions_of(where or {})):
            if not self._query(f"exists metadata[{literal(name)}]", ["row"], 1):
                some = {key for one in self._query("", ["metadata"], 100) for key in one["metadata"]}
                known = f"fields are {', '.join(sorted(some))}" if some else "none has metadata"
                raise InputError(f"where: no passage of {self.settings} has a field {shown(name)}; {known}")
        return expression(where or {})


def expression(where: Where) -> str:
    """Conditions on metadata as a Milvus filter; every name and text in it is quoted."""
    return " and ".join(map(_condition, conditions_of(where)))


def _condition(condition: Condition) -> str:
    path = f"metadata[{literal(condition.name)}]"
    if condition.any_of:
        return f"({' or '.join(f'{path} == {literal(value)}' for value in condition.any_of)})"
    return " and ".join(f"{path} {_BOUNDS[bound]} {literal(value)}" for bound, value in condition.bounds.items())


def _named(ids: Iterable[str]) -> str:
    """The expression of passages with one of these ids."""
    return f"id in [{', '.join(map(literal, ids))}]"


def literal(value: Value) -> str:
    """A value as a Milvus filter writes it."""
    if isinstance(value, str):
        escaped = value.translate({ord("\\"): r"\\", ord('"'): r"\"", 10: r"\n", 13: r"\r", 9: r"\t"})
        return f'"{escaped}"'
    return str(value).lower() if isinstance(value, bool) else repr(value)


class MilvusKind(StoreKind):
    """Keeps passages in Milvus; see `tfx_core.embedding.StoreKind`."""

    def check(self, options: Mapping[str, str]) -> Mapping[str, str]:
        """Return the options as they are kept: a file by its whole path, to be found from anywhere."""
        return {**options, "uri": read_settings(options).uri}

    def create(self, options: Mapping[str, str], *, dimension: int) -> MilvusIndex:
        """Make an empty collection beside the one that is searched."""
        settings = read_settings(options)
        index = MilvusIndex(settings, dimension, f"{settings.collection}_{uuid.uuid4().hex[:12]}")
        with _errors_of(settings):
            _refuse_taken(index)
            index.client.create_collection(
                index.name,
                schema=_schema(index.client, dimension),
                index_params=_index_parameters(index.client, settings),
                consistency_level="Strong",
            )
        return index

    def publish(self, index: EditableIndex) -> None:
        """Give the name to what was filled, and drop the collection that had it."""
        assert isinstance(index, MilvusIndex)
        client, alias = index.client, index.settings.collection
        with _errors_of(index.settings):
            client.release_collection(index.name)  # the embedded one indexes at loading only what is flushed by then,
            client.flush(index.name)  # and while it is loaded a flush writes the files that loading reads
            client.load_collection(index.name)
            if client.has_collection(alias):
                old = client.describe_alias(alias)["collection_name"]
                client.alter_alias(index.name, alias)
                client.drop_collection(old)
            else:
                client.create_alias(index.name, alias)
        index.name = alias

    def discard(self, index: EditableIndex) -> None:
        """Drop what was created and will not be published."""
        assert isinstance(index, MilvusIndex)
        with _errors_of(index.settings):
            index.client.drop_collection(index.name)

    def open(self, options: Mapping[str, str], *, dimension: int) -> MilvusIndex:
        """Open the collection that was published."""
        settings = read_settings(options)
        index = MilvusIndex(settings, dimension, settings.collection)
        if settings.embedded and not Path(settings.uri).exists():
            raise PassageIndexError(f"{settings.uri}: no such file; build the index again")
        with _errors_of(settings):
            if not index.client.has_collection(index.name):
                raise PassageIndexError(f"{settings.uri}: has no collection {index.name!r}; build the index again")
            index.client.load_collection(index.name)  # a server that was started again has it on disk
            found = _dimension(index.client.describe_collection(index.name))
        if found != dimension:
            raise PassageIndexError(f"{settings}: vectors have {found} numbers, and the index says {dimension}")
        return index


KIND = MilvusKind()
"""Target of the index name ``milvus``."""


def _connected(settings: Settings) -> "MilvusClient":
    if settings.embedded and not Path(settings.uri).parent.is_dir():
        raise InputError(f"index option 'uri': the folder {Path(settings.uri).parent} does not exist")
    pymilvus = _client_library(settings)
    _quieten()
    try:
        return cast("MilvusClient", pymilvus.MilvusClient(settings.uri, token=os.environ.get(TOKEN, "")))
    except pymilvus.MilvusException as error:
        why = (
            "another process has it open, for the embedded Milvus serves one at a time (`milvus-lite server` serves "
            "several), or it is no database of milvus-lite"
            if settings.embedded
            else in_one_line(error.message)
        )
        raise PassageIndexError(f"{settings.uri}: cannot be opened: {why}") from error


def _client_library(settings: Settings) -> ModuleType:
    try:
        import pymilvus

        if settings.embedded:
            import milvus_lite  # noqa: F401  # which pymilvus starts
    except ImportError as error:
        raise InputError(f"Milvus is reached by {error.name}: pip install 'tfx-retrieval[milvus]'") from error
    return cast(ModuleType, pymilvus)


def _quieten() -> None:
    """Keep the tracebacks off the terminal that the client logs besides raising the error."""
    import logging

    for name in ("pymilvus.decorators", "milvus_lite.server_manager"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def _errors_of(settings: Settings) -> Iterator[None]:
    """Turn what the client raises into a `PassageIndexError` that names the store."""
    refused = _client_library(settings).MilvusException
    try:
        yield
    except refused as error:
        raise PassageIndexError(f"{settings}: Milvus refused: {in_one_line(error.message)}") from error


def _portions(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    remaining = iter(items)
    while portion := list(islice(remaining, _TOGETHER)):
        yield portion


def _schema(client: "MilvusClient", dimension: int) -> Any:
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("row", DataType.INT64, is_primary=True)
    for name in ("id", "topic", "text"):
        schema.add_field(name, DataType.VARCHAR, max_length=_LONGEST)
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    return schema


def _index_parameters(client: "MilvusClient", settings: Settings) -> Any:
    parameters = client.prepare_index_params()
    parameters.add_index("vector", index_type=settings.index_type, metric_type="IP", params=dict(settings.build))
    parameters.add_index("id", index_type="INVERTED")  # passages are deleted by it
    return parameters


def _refuse_taken(index: MilvusIndex) -> None:
    """Raise an `InputError` where the name is that of somebody's collection and not an alias of ours."""
    if index.settings.collection in index.client.list_collections():
        raise InputError(
            f"index option 'collection': {index.settings} is a collection that was not built here; take another name"
        )


def _dimension(collection: _Record) -> int | None:
    sizes = [one["params"].get("dim") for one in collection["fields"] if one["name"] == "vector"]
    return int(sizes[0]) if sizes else None


def _records(passages: Sequence[Passage], vectors: Vectors, first: int, dimension: int) -> list[dict[str, Any]]:
    if vectors.shape != (len(passages), dimension):
        raise InputError(f"vectors of shape {vectors.shape} for {len(passages)} passages of dimension {dimension}")
    if not are_searchable(vectors):
        raise InputError(
            f"the vectors of passages {first} to {first + len(passages) - 1} hold nan or inf, or their squares do"
        )
    rows = enumerate(zip(passages, vectors, strict=True), start=first)
    return [_record(row, passage, vector) for row, (passage, vector) in rows]


def _record(row: int, passage: Passage, vector: Vectors) -> dict[str, Any]:
    texts = {"id": passage.id, "topic": passage.topic, "text": passage.text}
    for name, text in texts.items():
        size = len(text.encode("utf-8", "replace"))
        if size > _LONGEST:
            raise InputError(f"passage {shown(passage.id)}: its {name} has {size} bytes; Milvus keeps up to {_LONGEST}")
    return {"row": row, **texts, "metadata": dict(passage.metadata), "vector": vector}
