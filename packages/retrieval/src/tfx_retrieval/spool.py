"""Passages and vectors on their way into an index: kept chunk by chunk, so that a killed build goes on where it was.

A builder works in a folder beside the index, ``.NAME.building``, which one process holds. A chunk counts once the
journal has a line of it, which is written when its passages and vectors are on the disk. The next build of the same
index takes over the chunks from the first on, as long as the passages and the model are the same.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from socket import gethostname

import numpy as np

from tfx_core.checkpoint import kept_workplace, to_disk
from tfx_core.embedding import Passage, PassageBatch, Vectors
from tfx_core.errors import InputError, PassageIndexError, cleaned
from tfx_retrieval.arrays import are_searchable
from tfx_retrieval.digest import PassageDigest
from tfx_retrieval.passage_file import PASSAGES, written_passages
from tfx_retrieval.probes import SAME_RESULT, distance

CHUNK = 4096
"""Passages that are embedded in one call: enough to sort by length well, few enough to hold.

The vector of a text depends, in its last bits, on the texts beside it: chunks of always the same passages are what
makes an interrupted build, or one in shards, equal to one build.
"""

_JOURNAL, _OWNER = "journal.jsonl", "owner"
_VECTORS, _PROBES, _WAY = "vectors", "probes.npy", "way"


def place_beside(folder: Path) -> Path:
    """Where an index is built that will be in ``folder``."""
    real = Path(os.path.realpath(folder))
    return real.with_name(f".{real.name}.building")


@contextmanager
def working_beside(folder: Path, *, embedding: bool = True) -> Iterator[Path]:
    """The place where one process at a time builds or changes the index in ``folder``.

    It outlives an error or a killed process if there are embedded passages in it, and also the block where that is not
    ``embedding`` itself. Raises `PassageIndexError` that names the process which holds it.
    """
    place = place_beside(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    owner = place / _OWNER
    try:
        with kept_workplace(place, lambda is_done: not (is_done and embedding) and _has_chunks(place)):
            owner.write_text(f"process {os.getpid()} on {gethostname()}", encoding="utf-8")
            yield place
    except BlockingIOError as error:
        raise PassageIndexError(
            f"{folder}: is being built or changed by {_read_owner(owner)}; wait until it is done"
        ) from error


def left_beside(folder: Path) -> int:
    """Number of passages that an interrupted build of an index embedded, and that another one can take over."""
    try:
        lines = (place_beside(folder) / _JOURNAL).read_bytes().splitlines(keepends=True)
    except OSError:
        return 0
    return max((chunk.count for chunk in _chunks(lines)), default=0)


def _has_chunks(place: Path) -> bool:
    """Whether there is anything that another build could take over."""
    try:
        return (place / _PROBES).exists() and (place / _JOURNAL).stat().st_size > 0
    except OSError:
        return False


def _read_owner(path: Path) -> str:
    try:
        return cleaned(path.read_text(encoding="utf-8", errors="replace"), 200) or "another process"
    except OSError:
        return "another process"


@dataclass(frozen=True)
class _Chunk:
    """A line of the journal: how much there is with this chunk, and the digest of its passages."""

    count: int
    size: int
    passages: str


class Spool:
    """Passages and their vectors, added in chunks to files of a folder.

    ``probes`` are the vectors of fixed texts by the encoder, and ``way`` is how passages are embedded: what another
    encoder or another way has left is dropped. Without probes whatever there is, is.
    """

    def __init__(self, place: Path, dimension: int, *, probes: Vectors | None = None, way: str = "") -> None:
        self.dimension = dimension
        self.digest = PassageDigest()
        self._place = place
        self._journal: list[_Chunk] = self._left(probes, way)
        self._done = 0
        if self._journal:
            self._keep(self._journal)
        else:
            self._begin(probes, way)

    @property
    def count(self) -> int:
        """Number of passages."""
        return self._journal[self._done - 1].count if self._done else 0

    @property
    def passages(self) -> Path:
        """The file of the passages."""
        return self._place / PASSAGES

    def take_over(self, passages: Sequence[Passage]) -> bool:
        """Whether the next chunk is there already, of the same passages."""
        if self._done == len(self._journal) or self._journal[self._done].passages != _digest(passages):
            return False
        self._take_in(passages)
        return True

    def add(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        """Add a chunk after those that were taken over or added; what else is left of an earlier build goes."""
        self._check(passages, vectors)
        lines = written_passages(passages)
        self._drop_rest()
        self._append(_VECTORS, np.ascontiguousarray(vectors, dtype="<f4").data)
        self._append(PASSAGES, lines)
        size = self._journal[-1].size if self._journal else 0
        chunk = _Chunk(self.count + len(passages), size + len(lines), _digest(passages))
        self._append(_JOURNAL, json.dumps(asdict(chunk)).encode() + b"\n")
        self._journal.append(chunk)
        self._take_in(passages)

    def finish(self) -> Vectors:
        """The vectors of all chunks, (count, dimension), mapped into memory."""
        self._drop_rest()
        if not self.count:
            raise InputError("no passages: an index needs at least one")
        return np.memmap(self._place / _VECTORS, "<f4", "r", shape=(self.count, self.dimension))

    def _left(self, probes: Vectors | None, way: str) -> list[_Chunk]:
        """The chunks of an earlier build by the same encoder that are whole."""
        if probes is None:
            return []
        try:
            known = np.load(self._place / _PROBES, allow_pickle=False)
            if distance(known, probes) > SAME_RESULT or (self._place / _WAY).read_text() != way:
                return []
            lines = (self._place / _JOURNAL).read_bytes().splitlines(keepends=True)
            room = (self._place / _VECTORS).stat().st_size // (4 * self.dimension)
            size = self.passages.stat().st_size
        except (OSError, ValueError, EOFError):
            return []
        return [chunk for chunk in _chunks(lines) if chunk.count <= room and chunk.size <= size]

    def _begin(self, probes: Vectors | None, way: str) -> None:
        for name in (_JOURNAL, _VECTORS, PASSAGES):
            (self._place / name).write_bytes(b"")
        (self._place / _WAY).write_text(way)
        (self._place / _PROBES).unlink(missing_ok=True)
        if probes is not None:
            np.save(self._place / _PROBES, probes, allow_pickle=False)

    def _check(self, passages: Sequence[Passage], vectors: Vectors) -> None:
        expected = (len(passages), self.dimension)
        if vectors.shape != expected or vectors.dtype != np.float32:
            raise InputError(
                f"vectors of shape {vectors.shape} and type {vectors.dtype} for {len(passages)} passages; "
                f"expected {expected} float32"
            )
        if not are_searchable(vectors):
            last = self.count + len(passages) - 1
            raise InputError(f"the vectors of passages {self.count} to {last} hold nan or inf, or their squares do")

    def _take_in(self, passages: Sequence[Passage]) -> None:
        for passage in passages:
            self.digest.add(passage)
        self._done += 1

    def _append(self, name: str, data: bytes | memoryview) -> None:
        with (self._place / name).open("ab") as stream:
            stream.write(data)
        to_disk(self._place / name)

    def _drop_rest(self) -> None:
        """Cut the files to the chunks that were taken over or added."""
        if self._done < len(self._journal):
            self._keep(self._journal[: self._done])  # before the files: it never has more than they
        size = self._journal[-1].size if self._journal else 0
        os.truncate(self.passages, size)
        os.truncate(self._place / _VECTORS, 4 * self.dimension * self.count)

    def _keep(self, chunks: Sequence[_Chunk]) -> None:
        """Make these all that the journal has."""
        self._journal = list(chunks)
        new = self._place / "journal.new"
        new.write_text("".join(json.dumps(asdict(chunk)) + "\n" for chunk in chunks))
        to_disk(new)
        os.replace(new, self._place / _JOURNAL)


def _chunks(lines: Iterable[bytes]) -> Iterator[_Chunk]:
    """The chunks of a journal, up to the first line that a killed process did not finish."""
    for line in lines:
        try:
            values = json.loads(line)
            chunk = _Chunk(int(values["count"]), int(values["size"]), str(values["passages"]))
        except (ValueError, TypeError, KeyError):
            return
        if not line.endswith(b"\n"):
            return
        yield chunk


def _digest(passages: Sequence[Passage]) -> str:
    digest = PassageDigest()
    for passage in passages:
        digest.add(passage)
    return digest.value()


def chunks(passages: Iterable[Passage], size: int) -> Iterator[list[Passage]]:
    """Passages in lists of ``size``, the last of which may be shorter."""
    remaining = iter(passages)
    while chunk := list(islice(remaining, size)):
        yield chunk


def spooled(place: Path, batches: Iterable[PassageBatch], dimension: int) -> Spool:
    """A spool of passages with vectors that were made elsewhere."""
    spool = Spool(place, dimension)
    for passages, vectors in batches:
        if len(passages) or len(vectors):
            spool.add(passages, vectors)
    return spool
