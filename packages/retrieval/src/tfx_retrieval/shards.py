"""An index that is built in parts, on one machine or several, and put together to what one build would have made.

A shard is a flat index of some whole chunks of the passages, so that every text is embedded beside the same others as
in one build, and knows its place: ``"2/4"`` and the digest of all passages.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from tfx_core.embedding import Passage
from tfx_core.errors import InputError, PassageIndexError, shown
from tfx_retrieval.changing import batches_of, keeps_vectors
from tfx_retrieval.embedding import Progress
from tfx_retrieval.folder import Opened, kept_options, place_of, read_folder
from tfx_retrieval.probes import SAME_MODEL, distance
from tfx_retrieval.spool import CHUNK, Spool
from tfx_retrieval.writing import replaced_in, write_folder

_SHARD = re.compile(r"(?P<part>[0-9]{1,6})/(?P<of>[0-9]{1,6})")


@dataclass(frozen=True)
class Shard:
    """Part ``part``, from 1 on, of ``of`` parts."""

    part: int
    of: int

    @classmethod
    def parsed(cls, text: str) -> "Shard":
        """Read ``"2/4"``; raises `InputError` for anything else."""
        match = _SHARD.fullmatch(text)
        if match is None or not 1 <= int(match["part"]) <= int(match["of"]):
            raise InputError(f"--shards {text}: give PART/PARTS, such as 1/4, 2/4, 3/4 and 4/4")
        return cls(int(match["part"]), int(match["of"]))

    def rows(self, count: int) -> range:
        """Which of ``count`` passages are in it; raises `InputError` where there are fewer chunks than parts."""
        chunks = -(-count // CHUNK)
        if chunks < self.of:
            raise InputError(
                f"--shards {self}: {count} passages are {chunks} chunks of {CHUNK}; make at most {chunks} shards"
            )
        first, last = (chunks * part // self.of for part in (self.part - 1, self.part))
        return range(first * CHUNK, min(last * CHUNK, count))

    def of_passages(self, passages: Iterable[Passage], count: int) -> Iterator[Passage]:
        """Those of ``count`` passages that are in it."""
        rows = self.rows(count)
        return islice(passages, rows.start, rows.stop)

    def __str__(self) -> str:
        return f"{self.part}/{self.of}"


def merge_indexes(
    folders: Sequence[str | Path],
    output: str | Path,
    *,
    kind: str = "flat",
    options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> int:
    """Put the passages of several indexes into one, in their order, without embedding any; gives their number.

    Shards are put in the order of their numbers and must all be there; what comes of them equals the index that one
    build makes. The others may be any indexes of one model that keep their vectors as they were. Raises `InputError`
    and `PassageIndexError` for what does not belong together.
    """
    output, options = place_of(output), kept_options(kind, options)
    found = [(Path(folder), read_folder(place_of(folder))) for folder in folders]
    parts, digest = _in_order(found)
    with replaced_in(output) as place:
        spool = Spool(place, parts[0].manifest.dimension)
        for passages, vectors in chain.from_iterable(map(batches_of, parts)):
            spool.add(passages, vectors)
            if progress is not None:
                progress(len(passages))
        if digest and spool.digest.value() != digest:
            raise PassageIndexError(f"{output}: the passages of the shards are not those that were divided")
        manifest = replace(parts[0].manifest, kind=kind, options=options, shard="")
        write_folder(output, spool, manifest, parts[0].probes)
    return spool.count


def _in_order(found: Sequence[tuple[Path, Opened]]) -> tuple[list[Opened], str]:
    """The indexes in the order of their shards, and the digest of all passages if they are shards."""
    if not found:
        raise InputError("nothing to merge: name the folders of indexes")
    first_place, first = found[0]
    for place, opened in found:
        _check_alike(first_place, first, place, opened)
    shards = [opened.manifest.shard for _, opened in found]
    if not any(shards):
        return [opened for _, opened in found], ""
    return _shards_in_order(found)


def _shards_in_order(found: Sequence[tuple[Path, Opened]]) -> tuple[list[Opened], str]:
    by_part: dict[int, Opened] = {}
    wholes = set()
    for place, opened in found:
        text, _, digest = opened.manifest.shard.partition(" ")
        if not text:
            raise InputError(f"{place}: is no shard, as others are; merge the shards first")
        shard = Shard.parsed(text)
        wholes.add((shard.of, digest))
        if shard.part in by_part:
            raise InputError(f"{place}: is shard {shard}, and so is another one")
        by_part[shard.part] = opened
    if len(wholes) > 1:
        raise InputError(f"{found[0][0]} and others: are shards of different passages, or not of as many parts")
    ((of, digest),) = wholes
    if missing := [str(Shard(part, of)) for part in range(1, of + 1) if part not in by_part]:
        raise InputError(f"shards are missing: {', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}")
    return [by_part[part] for part in sorted(by_part)], digest


def _check_alike(first_place: Path, first: Opened, place: Path, opened: Opened) -> None:
    """Raise an error unless two indexes are of one model and one way to embed, and have their vectors whole."""
    if not keeps_vectors(opened.manifest):
        raise InputError(
            f"{place}: an index of kind {shown(opened.manifest.kind)} does not keep the vectors as they were; merge "
            "indexes of kind 'flat'"
        )
    ours, theirs = first.manifest, opened.manifest
    if (ours.dimension, ours.topic_prefix) != (theirs.dimension, theirs.topic_prefix):
        raise PassageIndexError(
            f"{place}: has vectors of {theirs.dimension} numbers, {_with_topic(theirs.topic_prefix)}; those of "
            f"{first_place} have {ours.dimension}, {_with_topic(ours.topic_prefix)}"
        )
    if (first.probes is None) != (opened.probes is None) or (
        first.probes is not None and opened.probes is not None and distance(first.probes, opened.probes) > SAME_MODEL
    ):
        raise PassageIndexError(
            f"{place}: made with the model {theirs.model or 'of unknown name'}, which puts the same texts elsewhere "
            f"than the one of {first_place}, {ours.model or 'of unknown name'}"
        )


def _with_topic(prefix: bool) -> str:
    return "made with topics" if prefix else "made without topics"
