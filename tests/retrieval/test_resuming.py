"""A build that was stopped goes on where it was, and one in parts is put together: the files are those of one build."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.interference import killed_at
from tests.retrieval.fake_encoder import FakeEncoder
from tfx_core.checkpoint import journal
from tfx_core.embedding import Passage, Vectors
from tfx_core.errors import InputError, PassageIndexError
from tfx_retrieval import build_index, merge_indexes, open_index, search, shards, write_index
from tfx_retrieval.shards import Shard
from tfx_retrieval.sources import survey

PASSAGES = [Passage(f"text {number} “ß”", f"topic {number % 3}", str(number), {"n": number}) for number in range(22)]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (search, shards):
        monkeypatch.setattr(module, "CHUNK", 4)


class Stopping(FakeEncoder):
    """Stops before it embeds the passage ``at``, and what it gives depends on what is embedded together."""

    def __init__(self, at: int = 10**9, **options: str) -> None:
        super().__init__(**options)
        self.at = at

    def encode_document(self, texts: Sequence[str], **options: object) -> Vectors:
        if len(self.encoded) + len(texts) > self.at:
            raise KeyboardInterrupt
        return super().encode_document(texts) + np.float32(1e-7) * len("".join(texts))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, bytes]:
    """The files of one build."""
    build_index(PASSAGES, Stopping(), tmp_path / "whole")
    return contents(tmp_path / "whole")


def stopped(folder: Path, at: int, passages: Sequence[Passage] = PASSAGES, encoder: type[Stopping] = Stopping) -> None:
    with pytest.raises(KeyboardInterrupt):
        build_index(passages, encoder(at), folder)


@pytest.mark.parametrize("at", [3, 4, 11, 20, 21])
def test_a_stopped_build_goes_on_and_equals_one_that_was_not(tmp_path: Path, whole: dict[str, bytes], at: int) -> None:
    stopped(tmp_path / "index", at)
    encoder, heard = Stopping(), list[int]()
    build_index(iter(PASSAGES), encoder, tmp_path / "index", progress=heard.append)
    assert contents(tmp_path / "index") == whole
    assert len(encoder.encoded) == 22 - at // 4 * 4
    assert sum(heard) >= at // 4 * 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "whole"]


@pytest.mark.parametrize("other", ["model", "prefix", "chunk"])
def test_what_another_way_of_embedding_left_is_not_used(
    tmp_path: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(tmp_path / "index", 12)
    encoder = Stopping(seed="other") if other == "model" else Stopping()
    if other == "chunk":
        monkeypatch.setattr(search, "CHUNK", 2)
    build_index(PASSAGES, encoder, tmp_path / "index", topic_prefix=other != "prefix")
    assert len(encoder.encoded) == 22
    again = Stopping(seed="other") if other == "model" else Stopping()
    build_index(PASSAGES, again, tmp_path / "new", topic_prefix=other != "prefix")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")


@pytest.mark.parametrize("change", [0, 5, 13, 21])
def test_passages_that_changed_are_embedded_again_with_all_after_them(tmp_path: Path, change: int) -> None:
    stopped(tmp_path / "index", 16)
    passages = [*PASSAGES[:change], Passage("changed"), *PASSAGES[change + 1 :]]
    encoder = Stopping()
    build_index(passages, encoder, tmp_path / "index")
    assert len(encoder.encoded) == 22 - min(change // 4 * 4, 16)
    build_index(passages, Stopping(), tmp_path / "new")
    assert contents(tmp_path / "index") == contents(tmp_path / "new")


def test_fewer_and_more_passages_than_were_embedded(tmp_path: Path) -> None:
    for number in (6, 40):
        stopped(tmp_path / "index", 20)
        passages = (PASSAGES * 2)[:number]
        build_index(passages, Stopping(), tmp_path / "index")
        build_index(passages, Stopping(), tmp_path / "new")
        assert contents(tmp_path / "index") == contents(tmp_path / "new")


@pytest.mark.parametrize("name", ["journal.jsonl", "vectors", "passages.jsonl", "probes.npy", "way"])
@pytest.mark.parametrize("kept", [0, 0.5, 0.99])
def test_files_that_a_crash_cut_short(tmp_path: Path, whole: dict[str, bytes], name: str, kept: float) -> None:
    stopped(tmp_path / "index", 16)
    path = tmp_path / ".index.building" / name
    os.truncate(path, int(path.stat().st_size * kept))
    build_index(PASSAGES, Stopping(), tmp_path / "index")
    assert contents(tmp_path / "index") == whole


def test_a_build_that_is_killed_at_any_moment(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_PATIENCE", 0.0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    folder = tmp_path / "index"
    moments = 0
    while killed_at(moments, lambda: build_index(PASSAGES, Stopping(), folder)):
        build_index(PASSAGES, Stopping(), folder)
        assert contents(folder) == whole
        assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "whole"]
        for path in folder.iterdir():
            path.unlink()
        moments += 1
    assert moments > 20


def test_a_killed_process_leaves_a_lock_that_is_free_and_a_living_one_is_named(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tfx_retrieval.spool import working_beside\n"
        "with working_beside(Path(sys.argv[1])): print('!', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "index")], stdout=subprocess.PIPE, env={**os.environ}
    )
    try:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"!"
        with pytest.raises(PassageIndexError, match=f"being built or changed by process {process.pid} on"):
            build_index(PASSAGES, FakeEncoder(), tmp_path / "index")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    build_index(PASSAGES, FakeEncoder(), tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_deletion_keeps_what_an_interrupted_build_embedded(tmp_path: Path) -> None:
    index = build_index(PASSAGES, Stopping(), tmp_path / "index")
    stopped(tmp_path / "index", 12)
    index.delete(["3"])
    encoder = Stopping()
    build_index(PASSAGES, encoder, tmp_path / "index")
    assert len(encoder.encoded) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def build_shards(tmp_path: Path, of: int, passages: Sequence[Passage] = PASSAGES) -> list[Path]:
    found = survey(passages)
    folders = []
    for part in range(1, of + 1):
        shard = Shard(part, of)
        folders.append(tmp_path / f"shard-{part}")
        some = shard.of_passages(passages, found.count)
        build_index(some, Stopping(), folders[-1], shard=f"{shard} {found.digest}")
    return folders


@pytest.mark.parametrize("of", [1, 2, 3, 6])
def test_shards_merge_to_what_one_build_makes(tmp_path: Path, whole: dict[str, bytes], of: int) -> None:
    folders = build_shards(tmp_path, of)
    heard: list[int] = []
    assert merge_indexes(folders[::-1], tmp_path / "merged", progress=heard.append) == sum(heard) == 22
    assert contents(tmp_path / "merged") == whole


def test_shards_that_do_not_belong_together(tmp_path: Path) -> None:
    one, two, three = build_shards(tmp_path / "a", 3)
    (other, *_) = build_shards(tmp_path / "b", 3, PASSAGES[:-1])
    build_index(PASSAGES, Stopping(), tmp_path / "plain")
    build_index(PASSAGES, Stopping(seed="x"), tmp_path / "model")
    build_index(PASSAGES, Stopping(), tmp_path / "prefix", topic_prefix=False)
    write_index([(PASSAGES, np.eye(22, 16, dtype=np.float32))], tmp_path / "unknown", dimension=16)
    for folders, message in (
        ((one, three), "shards are missing: 2/3"),
        ((one, two, three, one), "is shard 1/3, and so is another one"),
        ((other, two, three), "are shards of different passages"),
        ((one, tmp_path / "plain"), "plain: is no shard"),
        ((tmp_path / "plain", tmp_path / "model"), "puts the same texts elsewhere than the one of"),
        ((tmp_path / "plain", tmp_path / "prefix"), "made without topics; those of .* made with topics"),
        ((tmp_path / "plain", tmp_path / "unknown"), "made without topics"),
        ((), "nothing to merge"),
        ((tmp_path / "absent",), "no such folder"),
    ):
        with pytest.raises((InputError, PassageIndexError), match=message):
            merge_indexes(folders, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_any_indexes_of_one_model_merge_in_their_order(tmp_path: Path) -> None:
    build_index(PASSAGES[:3], FakeEncoder(), tmp_path / "a")
    second = build_index(PASSAGES[3:9], FakeEncoder(), tmp_path / "b")
    second.delete(["4"])
    merge_indexes([tmp_path / "b", tmp_path / "a"], tmp_path / "b")
    left = [*PASSAGES[3:4], *PASSAGES[5:9], *PASSAGES[:3]]
    assert open_index(tmp_path / "b", FakeEncoder()).passages(range(8)) == left


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "1", "1/", "a/b", "1/2/3", "-1/2"])
def test_what_names_no_shard(text: str) -> None:
    with pytest.raises(InputError, match="give PART/PARTS"):
        Shard.parsed(text)


def test_more_shards_than_chunks() -> None:
    with pytest.raises(InputError, match="9 passages are 3 chunks of 4; make at most 3 shards"):
        Shard.parsed("1/4").rows(9)
