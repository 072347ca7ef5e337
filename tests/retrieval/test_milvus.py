"""Passages in Milvus, shown on the embedded one, which answers the calls of a cluster."""

import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.retrieval.fake_encoder import FakeEncoder
from tfx_core.embedding.passage_index import Passage, PassageBatch
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import build_index, open_index
from tfx_retrieval.milvus import KIND, MilvusIndex, expression, read_settings
from tfx_testing import IndexChecks

D = 8


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("milvus") / "passages.db")


@pytest.fixture
def options(database: str, request: pytest.FixtureRequest) -> dict[str, str]:
    return {"uri": database, "collection": request.node.originalname, "index_type": "FLAT"}


def passages(count: int, start: int = 0) -> list[Passage]:
    return [
        Passage(f"text {row}\n“it's” \\\"\u2028", f"topic {row % 3}", f"p{row}", metadata(row))
        for row in range(start, start + count)
    ]


def metadata(row: int) -> dict[str, str | int | float | bool]:
    return {"year": 2000 + row, "lang": "en" if row % 2 else "de", 'odd "key\\': row % 5 == 0, "share": row / 4}


def random_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, D))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def batches(vectors: np.ndarray, size: int = 7) -> Iterator[PassageBatch]:
    everything = passages(len(vectors))
    for start in range(0, len(vectors), size):
        yield everything[start : start + size], vectors[start : start + size]


class TestMilvus(IndexChecks):
    index = "milvus"

    @classmethod
    def store_options(cls, folder: Path) -> dict[str, str]:
        return {"uri": str(folder.parent / "passages.db"), "collection": folder.name, "index_type": "FLAT"}


def build(options: dict[str, str], vectors: np.ndarray) -> MilvusIndex:
    index = KIND.create(options, dimension=D)
    index.add(batches(vectors))
    KIND.publish(index)
    return KIND.open(options, dimension=D)


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({"lang": "en"}, lambda row: row % 2),
        ({"lang": "en", "year": {"at_least": 2003, "below": 2007}}, lambda row: row in (3, 5)),
        ({"year": {"above": 2003, "at_most": 2005.0}}, lambda row: row in (4, 5)),
        ({"year": [2001, 2004, 1]}, lambda row: row in (1, 4)),
        ({'odd "key\\': True}, lambda row: row % 5 == 0),
        ({"share": 0.75}, lambda row: row == 3),
        ({"year": -1}, lambda row: False),
        ({"lang": '" or row >= 0 or metadata["lang"] == "'}, lambda row: False),
        ({"lang": "\\"}, lambda row: False),
        ({"lang": "a\nb\t\u2028"}, lambda row: False),
    ],
)
def test_only_what_fits_is_found(options: dict[str, str], where: dict, fits) -> None:
    index = build(options, random_vectors(10))
    scores, rows = index.search_vectors(random_vectors(1, seed=1), 10, where=where)
    found = [row for row in range(10) if fits(row)]
    assert rows.shape == (1, 10)
    assert sorted(rows[0][rows[0] >= 0]) == found
    assert np.isneginf(scores[0][len(found) :]).all()


def test_conditions_that_mean_nothing(options: dict[str, str]) -> None:
    index = build(options, random_vectors(10))
    with pytest.raises(InputError, match=r"has a field 'colour'; fields are lang, .*, share, year"):
        index.search_vectors(random_vectors(1), 1, where={"colour": "red"})
    for asked in ({"from": 3}, {}, None, float("nan"), object(), [[1]], []):
        with pytest.raises(InputError, match="where: 'year'"):
            expression({"year": asked})


def test_passages_are_added_deleted_and_replaced(options: dict[str, str]) -> None:
    vectors = random_vectors(20)
    index = build(options, vectors)
    assert index.delete(["p3", "p19"]) == 2
    assert len(index) == 18
    assert {3, 19}.isdisjoint(index.search_vectors(vectors[[3, 19]], 18)[1].ravel())
    assert index.add([([Passage("new", id="new")], vectors[3:4])]) == 1
    _, rows = index.search_vectors(vectors[3:4], 20)
    assert index.passages(rows[0, :1]) == [Passage("new", id="new")]
    assert index.replace([([Passage("newer", id="p7")], vectors[7:8])]) == 1
    _, rows = index.search_vectors(vectors[7:8], 19)
    texts = [passage.text for passage in index.passages(rows[0])]
    assert (texts.count("newer"), texts.count(passages(20)[7].text), len(index)) == (1, 0, 19)
    assert len(set(rows[0])) == 19


def test_a_document_is_changed_with_all_its_pieces(options: dict[str, str]) -> None:
    index = build(options, random_vectors(3))
    pieces = [Passage(f"piece {number}", id=f"a_b#{number}") for number in (1, 2, 3)]
    index.add([([*pieces, Passage("other", id="axb#1")], random_vectors(4, seed=1))])
    with pytest.raises(InputError, match="there is a passage with the id 'p1'; replace it instead"):
        index.add([([Passage("again", id="p1")], random_vectors(1))])
    assert index.replace([([Passage("whole", id="a_b#1")], random_vectors(1, seed=2))], documents=True) == 1
    assert len(index) == 3 + 2
    assert index.delete(["a_b"], documents=True) == 1
    with pytest.raises(InputError, match="id 'a_b'"):
        index.delete(["a_b"], documents=True)
    assert len(index) == 4


def test_what_is_not_there_cannot_be_changed(options: dict[str, str]) -> None:
    index = build(options, random_vectors(5))
    with pytest.raises(InputError, match=r"id 'p9' and 1 more: .*passages\.db \(.*\) has no passage of that id"):
        index.delete(["p1", "p9", "p8"])
    with pytest.raises(InputError, match="id 'p9'"):
        index.replace([([Passage("x", id="p1"), Passage("y", id="p9")], random_vectors(2))])
    with pytest.raises(InputError, match=r"row 5: .* has no passage of that number"):
        index.passages([0, 5])
    assert index.passages(range(5)) == passages(5)


def test_a_change_that_fails_is_taken_back(options: dict[str, str]) -> None:
    index = build(options, random_vectors(5))
    good = (passages(1, start=5), random_vectors(1))
    for bad, message in (
        (([Passage("é" * 40_000, id="long")], random_vectors(1)), "passage 'long': its text has 80000 bytes"),
        (([Passage("x")], np.zeros((1, 3), np.float32)), r"vectors of shape \(1, 3\) for 1 passages"),
        (([Passage("x")], np.full((1, D), np.nan, np.float32)), "nan"),
    ):
        with pytest.raises((InputError, PassageIndexError), match=message):
            index.add([good, bad])
        assert len(index) == 5


def test_a_build_is_found_when_it_is_whole(options: dict[str, str]) -> None:
    old = build(options, random_vectors(5))
    fresh = KIND.create(options, dimension=D)
    fresh.add(batches(random_vectors(9)))
    assert len(old) == len(KIND.open(options, dimension=D)) == 5
    KIND.publish(fresh)
    assert len(old) == len(fresh) == len(KIND.open(options, dimension=D)) == 9
    given_up = KIND.create(options, dimension=D)
    KIND.discard(given_up)
    own = [name for name in fresh.client.list_collections() if name.startswith(options["collection"])]
    assert len(own) == 1
    assert own[0] != given_up.name


def test_an_index_is_kept_and_serves_forks(options: dict[str, str], tmp_path: Path) -> None:
    code = f"""
        import os, numpy as np
        from tfx_core.embedding.passage_index import Passage
        from tfx_retrieval.milvus import KIND
        options = {{"uri": {str(tmp_path / "kept.db")!r}, "collection": "kept"}}
        %s
        index = KIND.open(options, dimension=2)
        def found():
            return index.search_vectors(np.eye(2, dtype=np.float32), 1)[1].tolist() == [[0], [1]]
        assert found()
        child = os.fork()
        if not child:
            os._exit(0 if found() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert found()
    """
    fill = """index = KIND.create(options, dimension=2)
        index.add([([Passage("a"), Passage("b")], np.eye(2, dtype=np.float32))])
        KIND.publish(index)"""
    for step in (fill, ""):
        subprocess.run([sys.executable, "-c", textwrap.dedent(code % step)], check=True, timeout=120)


def test_one_process_has_the_embedded_one_open(options: dict[str, str]) -> None:
    build(options, random_vectors(3))
    code = f"from tfx_retrieval.milvus import KIND; KIND.open({options!r}, dimension={D})"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "passages.db: cannot be opened: another process has it open" in tried.stderr
    assert "BlockingIOError" not in tried.stderr


def test_what_cannot_be_opened(options: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(options, random_vectors(3))
    with pytest.raises(PassageIndexError, match="vectors have 8 numbers, and the index says 9"):
        KIND.open(options, dimension=9)
    with pytest.raises(PassageIndexError, match="has no collection 'absent'; build the index again"):
        KIND.open({**options, "collection": "absent"}, dimension=D)
    with pytest.raises(PassageIndexError, match=r"absent\.db: no such file"):
        KIND.open({**options, "uri": str(tmp_path / "absent.db")}, dimension=D)
    with pytest.raises(InputError, match=r"the folder .*absent does not exist"):
        KIND.create({**options, "uri": str(tmp_path / "absent" / "a.db")}, dimension=D)
    taken = KIND.create(options, dimension=D)
    with pytest.raises(InputError, match="is a collection that was not built here"):
        KIND.create({**options, "collection": taken.name}, dimension=D)
    KIND.discard(taken)
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(InputError, match=r"pip install 'tfx-retrieval\[milvus\]'"):
        KIND.open(options, dimension=D)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"uri": ""}, "'uri': ''; give a file that ends in .db, or the address of a server"),
        ({"uri": "notes"}, "'uri': 'notes'; give a file"),
        ({"uri": "https://me:secret@host"}, "'uri': holds a password, .* set MILVUS_TOKEN instead"),
        ({"collection": ""}, "'collection': ''"),
        ({"collection": "1; drop"}, "'collection': '1; drop'"),
        ({"token": "secret"}, "'token': would be kept in the index folder; set MILVUS_TOKEN"),
        ({"nlist": "3"}, "'nlist': a Milvus index has uri, collection, index_type, build.PARAMETER"),
        ({"index_type": "diskann"}, "the embedded Milvus has no DISKANN, but AUTOINDEX, FLAT, HNSW"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, str], wrong: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        KIND.check({**options, **wrong})


def test_what_the_embedded_one_ignores_is_said(options: dict[str, str]) -> None:
    with pytest.warns(UserWarning, match=r"the embedded Milvus ignores search\.ef for FLAT"):
        read_settings({**options, "search.ef": "64"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_settings({**options, "index_type": "HNSW", "search.ef": "64"})
        server = {"uri": "http://localhost:19530", "collection": "a", "index_type": "DISKANN", "search.list": "100"}
        assert KIND.check(server) == server


def test_search_parameters_of_the_embedded_one_have_an_effect(options: dict[str, str]) -> None:
    vectors, asked = random_vectors(2000), random_vectors(100, seed=1)
    options |= {"index_type": "HNSW", "build.M": "2", "build.efConstruction": "4"}
    best = np.argmax(asked @ vectors.T, axis=1)
    build(options, vectors)
    right = [
        (KIND.open({**options, "search.ef": ef}, dimension=D).search_vectors(asked, 1)[1][:, 0] == best).mean()
        for ef in ("1", "500")
    ]
    assert right[0] < right[1]


def test_an_index_folder_of_it_changes_and_is_narrowed(options: dict[str, str], tmp_path: Path) -> None:
    first = [Passage("a cat", id="1"), Passage("a dog", id="2")]
    index = build_index(first, FakeEncoder(), tmp_path / "index", kind="milvus", options=options)
    assert index.add([Passage("a bird", id="3", metadata={"year": 2000})]) == 1
    assert index.delete(["1"]) == 1
    assert index.replace([Passage("two dogs", id="2")]) == 1
    opened = open_index(tmp_path / "index", FakeEncoder())
    assert [hit.passage.text for hit in opened.search(["bird"], 5)[0]] == ["a bird", "two dogs"]
    assert [hit.passage.id for hit in opened.search(["dog"], 5, where={"year": 2000})[0]] == ["3"]
