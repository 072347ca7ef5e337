"""Passages come, go and are replaced; rows stay; what is left can be written as one build would write it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.interference import killed_at
from tests.retrieval.fake_encoder import FakeEncoder
from tfx_core.checkpoint import journal
from tfx_core.embedding import Passage
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import SearchIndex, build_index, changing, open_index, write_index
from tfx_retrieval.manifest import MANIFEST, read_manifest
from tfx_retrieval.spool import working_beside


def passage(name: str, text: str = "") -> Passage:
    return Passage(text or f"text {name}", "topic", name, {"number": len(name)})


FIRST = [passage(name) for name in ("a", "b", "c#1", "c#2", "c#10")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_index(FIRST, FakeEncoder(), tmp_path / "index")
    return tmp_path / "index"


@pytest.fixture
def index(folder: Path) -> SearchIndex:
    return open_index(folder, FakeEncoder())


def names(index: SearchIndex) -> list[str]:
    (hits,) = index.search(["topic"], 100)
    return [hit.passage.id for hit in sorted(hits, key=lambda hit: hit.row)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_added_is_found_and_what_is_deleted_is_not(index: SearchIndex, folder: Path) -> None:
    before = open_index(folder, FakeEncoder())
    assert index.add([passage("d"), passage("e")]) == 2
    assert index.delete(["b", "d"]) == 2
    assert (len(index), names(index)) == (5, ["a", "c#1", "c#2", "c#10", "e"])
    assert names(open_index(folder, FakeEncoder())) == names(index)
    assert names(before) == ["a", "b", "c#1", "c#2", "c#10"]
    assert index.passages([6, 0]) == [passage("e"), passage("a")]
    for row in (1, 5):
        with pytest.raises(InputError, match=f"row {row}: its passage was deleted"):
            index.passages([row])
    scores, rows = index.search_vectors(np.ones((2, 16), np.float32), 50)
    assert scores.shape == (2, 5)
    assert {*rows.flat} == {0, 2, 3, 4, 6}
    np.testing.assert_array_equal(index.vectors([6]), FakeEncoder().encode_query(["topic: text e"]))
    (hits,) = index.search(["topic"], 9, where={"number": 1})
    assert {hit.passage.id for hit in hits} == {"a", "e"}


def test_a_replaced_passage_has_a_new_row_and_its_new_text(index: SearchIndex) -> None:
    assert index.replace([passage("b", "new words")]) == 1
    (best, *_), *_ = index.search(["topic new words"], 1)
    assert (best.row, best.passage.text) == (5, "new words")
    assert names(index) == ["a", "c#1", "c#2", "c#10", "b"]
    assert index.replace([passage("c#1", "one piece is left")], documents=True) == 1
    assert names(index) == ["a", "b", "c#1"]
    assert index.delete(["c"], documents=True) == 1


def test_all_passages_can_go_and_others_come(index: SearchIndex) -> None:
    assert index.delete(["a", "b", "c"], documents=True) == 5
    assert (len(index), index.search(["a"])) == (0, [[]])
    with pytest.raises(InputError, match="no passages"):
        index.compact()
    index.add([passage("z")])
    index.compact()
    assert (names(index), index.passages([0])) == (["z"], [passage("z")])


def test_compacting_gives_what_one_build_gives(index: SearchIndex, folder: Path, tmp_path: Path) -> None:
    index.add([passage("d"), passage("e")])
    index.delete(["a", "d"])
    index.replace([passage("b", "other")])
    kept = open_index(folder)
    index.compact()
    left = [*FIRST[2:], passage("e"), passage("b", "other")]
    build_index(left, FakeEncoder(), tmp_path / "new")
    assert contents(folder) == contents(tmp_path / "new")
    assert index.passages(range(5)) == left
    assert kept.passages([4]) == [FIRST[4]]


def test_files_that_do_not_change_are_the_same_files(index: SearchIndex, folder: Path) -> None:
    inodes = {name: (folder / name).stat().st_ino for name in ("vectors.npy", "passages.jsonl")}
    index.add([passage("d")])
    index.delete(["a"])
    assert inodes == {name: (folder / name).stat().st_ino for name in inodes}
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.add([passage("n"), passage("c#2")]), "there is a passage with the id 'c#2'; replace it"),
        (
            lambda index: index.delete(["a", "aa"]),
            r"no passage with the id 'aa' \(the nearest is 'a'\); nothing",
        ),
        (lambda index: index.delete(["w", "x", "y", "z"]), "id 'w', 'x', 'y' and 1 more; nothing"),
        (lambda index: index.delete(["c"]), "no passage with the id 'c'"),
        (lambda index: index.delete("abc"), "give a list of ids"),
        (lambda index: index.replace([passage("n")]), "no passage with the id 'n'"),
        (lambda index: index.add([]), "no passages"),
    ],
)
def test_a_change_that_cannot_be_made_changes_nothing(
    index: SearchIndex, folder: Path, change: Callable[[SearchIndex], object], message: str
) -> None:
    before = contents(folder)
    with pytest.raises(InputError, match=message):
        change(index)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


def test_an_index_without_encoder_can_only_lose_passages(tmp_path: Path) -> None:
    write_index([(FIRST, np.eye(5, 8, dtype=np.float32))], tmp_path / "index", dimension=8)
    index = open_index(tmp_path / "index")
    with pytest.raises(InputError, match="without an encoder"):
        index.add([passage("d")])
    index.delete(["a"])
    index.compact()
    np.testing.assert_array_equal(index.vectors(range(4)), np.eye(5, 8, dtype=np.float32)[1:])


def test_a_folder_of_the_first_version_is_read_and_changed(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    for name in ("ids.npy", "metadata.json", "metadata.0.npy"):
        del manifest["files"][name]
        (folder / name).unlink()
    manifest["version"] = 1
    del manifest["segments"], manifest["shard"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    index = open_index(folder, FakeEncoder())
    assert index.search(["topic text a"], 1)[0][0].passage.id == "a"
    index.delete(["a"])
    index.add([passage("d")])
    assert names(index) == ["b", "c#1", "c#2", "c#10", "d"]
    assert read_manifest(folder).version == 2


def test_two_at_once_are_refused_by_name(index: SearchIndex, folder: Path) -> None:
    with working_beside(folder):
        for change in (
            lambda: index.add([passage("d")]),
            lambda: index.delete(["a"]),
            index.compact,
            lambda: build_index(FIRST, FakeEncoder(), folder),
        ):
            with pytest.raises(PassageIndexError, match=f"is being built or changed by process {os.getpid()} "):
                change()
    index.delete(["a"])


def test_changes_of_two_readers_are_both_there(index: SearchIndex, folder: Path) -> None:
    other = open_index(folder, FakeEncoder())
    index.add([passage("d")])
    other.delete(["a"])
    index.add([passage("e")])
    assert names(index) == ["b", "c#1", "c#2", "c#10", "d", "e"]


def test_a_change_that_is_killed_at_any_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_PATIENCE", 0.0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    index = open_index(folder, FakeEncoder())
    seen = set()
    for call in range(1000):
        if not killed_at(call, lambda: index.replace([passage("a", "new")])):
            break
        found = open_index(folder, FakeEncoder())
        seen.add(tuple(names(found)))
        if names(found)[0] != "a":
            found.replace([passage("a")])
            found.compact()
    assert seen >= {("a", "b", "c#1", "c#2", "c#10"), ("b", "c#1", "c#2", "c#10", "a")}
    assert [path.name for path in folder.parent.iterdir()] == ["index"]


def test_the_marks_of_deleted_rows_are_checked(index: SearchIndex, folder: Path) -> None:
    index.delete(["a"])
    assert changing.DELETED in read_manifest(folder).files
    np.save(folder / "deleted.npy", np.zeros(5, bool))
    with pytest.raises(PassageIndexError, match=r"deleted\.npy: damaged"):
        open_index(folder)
    with pytest.raises(PassageIndexError, match=r"deleted\.npy: damaged"):
        index.delete(["b"])
