"""The conformance kit, of every kind of index that is kept in files, and what is particular to one of them."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from tfx_core.embedding import VectorKind
from tfx_core.errors import InputError, PassageIndexError
from tfx_core.plugins import IndexSpec, registry
from tfx_testing import IndexChecks
from tfx_testing.indexes.base import DIMENSION, clustered

KINDS = {
    entry.spec.name: kind
    for entry in registry.specs(IndexSpec)
    if entry.distribution == "tfx-retrieval"
    and isinstance(kind := registry.load(IndexSpec, entry.spec.name), VectorKind)
}

RECALL = {"flat": 1.0, "hnsw": 0.95, "ivf-disk": 0.95, "ivf-flat": 0.95, "ivf-pq": 0.5, "sq8": 0.95}
"""What each finds of the exact top ten if nothing is said; codes know least of vectors that vary in all directions."""

EVERYTHING = {"hnsw": {"ef_search": "10000"}} | {f"ivf-{end}": {"nprobe": "10000"} for end in ("disk", "flat", "pq")}
"""Options to search with that leave nothing out."""

for _name in sorted(KINDS):
    _class = "Test" + "".join(part.capitalize() for part in _name.split("-"))
    _facts: dict[str, Any] = {"index": _name, "recall": RECALL[_name], "whole": EVERYTHING.get(_name, {})}
    globals()[_class] = type(_class, (IndexChecks,), {**_facts, "__module__": __name__})


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_same_vectors_give_the_same_bytes_in_any_number_of_threads(name: str, tmp_path: Path) -> None:
    """And the number of threads stays as it was."""
    before = faiss.omp_get_max_threads()
    try:
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            (tmp_path / str(threads)).mkdir()
            KINDS[name].write(tmp_path / str(threads), clustered(2000)[0], options={})
            assert faiss.omp_get_max_threads() == threads
    finally:
        faiss.omp_set_num_threads(before)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / each).iterdir()} for each in "12")
    assert one == two


@pytest.mark.parametrize("name", sorted(KINDS))
def test_options_that_there_are_not_are_told_with_those_that_there_are(name: str) -> None:
    with pytest.raises(InputError, match=rf"index option 'M': an? .*{name} index|kind {name} has"):
        KINDS[name].check({"M": "32"})


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("hnsw", "m", "1", "index option m=1: must be an integer from 2 to 256"),
        ("hnsw", "ef_search", "many", "index option ef_search='many': must be an integer from 1 to 10000"),
        ("ivf-flat", "nprobe", "0", "index option nprobe=0: must be an integer from 1 to 1.04858e.06, or None"),
        ("ivf-disk", "nlist", "1.5", "index option nlist='1.5': must be an integer"),
        ("ivf-pq", "pq_bits", "9", "index option pq_bits=9: must be an integer from 4 to 8"),
    ],
)
def test_options_of_a_wrong_value(name: str, option: str, value: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KINDS[name].check({option: value})


def test_more_pieces_than_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="index option pq_m=65: the vectors have only 64 numbers"):
        KINDS["ivf-pq"].write(tmp_path, clustered()[0], options={"pq_m": "65"})


@pytest.mark.parametrize(
    "options", [{"pq_bits": "4"}, {"pq_bits": "6", "pq_m": "5"}, {"nlist": "1"}, {"nlist": "9999"}]
)
def test_other_codes_and_lists(tmp_path: Path, options: dict[str, str]) -> None:
    vectors, queries = clustered(2000)
    KINDS["ivf-pq"].write(tmp_path, vectors, options=options)
    index = KINDS["ivf-pq"].open(tmp_path, count=2000, dimension=DIMENSION, options={**options, "nprobe": "9999"})
    scores, _ = index.search(queries, 10)
    kept = index.vectors(np.arange(2000))
    np.testing.assert_allclose(scores, -np.sort(-(queries @ kept.T), axis=1)[:, :10], rtol=1e-4, atol=1e-4)


def test_a_neighbour_in_a_layer_that_it_is_not_in(tmp_path: Path) -> None:
    """What FAISS would read of it lies beyond its neighbours."""
    vectors, _ = clustered(2000)
    KINDS["hnsw"].write(tmp_path, vectors, options={})
    levels, neighbours = np.load(tmp_path / "levels.npy"), np.load(tmp_path / "neighbours.npy")
    high = int(np.flatnonzero(levels > 1)[0])
    begin = int(((levels[:high].astype(np.int64) + 1) * 32).sum()) + 64
    neighbours[begin] = int(np.flatnonzero(levels == 1)[0])
    np.save(tmp_path / "neighbours.npy", neighbours)
    with pytest.raises(PassageIndexError, match=r"neighbours\.npy: names neighbours that there are not"):
        KINDS["hnsw"].open(tmp_path, count=2000, dimension=DIMENSION, options={})
