"""Files and folders that are replaced whole or not at all."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tfx_core.checkpoint import atomic, open_folder, replacing, replacing_files, replacing_folder


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its text, empty folders too."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        if path.is_file() or not any(path.iterdir())
    }


class Stop(BaseException):
    """As KeyboardInterrupt: no Exception."""


def failing(call: Callable[..., object], after: int, error: BaseException) -> Callable[..., object]:
    """``call`` that raises instead of its (after + 1)-th call."""
    calls = iter(range(10**6))

    def wrapper(*arguments: object) -> object:
        if next(calls) == after:
            raise error
        return call(*arguments)

    return wrapper


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text in ("first", "second"):
        with replacing(path) as temporary:
            assert temporary.name.endswith("a.json")  # writers that look at the suffix see the real one
            temporary.write_text(text)
            assert not path.exists() or path.read_text() == "first"
        assert tree(tmp_path) == {"a.json": text}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a descriptor stands for is read where Linux tells")
def test_data_is_on_the_disk_before_its_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    def noting(call: Callable[..., object], what: str) -> Callable[..., object]:
        def wrapper(first: int | Path, *rest: object) -> object:
            path = Path(os.readlink(f"/proc/self/fd/{first}")) if isinstance(first, int) else first
            events.append(f"{what} {'folder' if path.is_dir() else path.read_text()}")
            return call(first, *rest)

        return wrapper

    for name in ("fsync", "rename", "replace"):
        monkeypatch.setattr(atomic.os, name, noting(getattr(os, name), name))
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("1")
    assert events == ["fsync 1", "replace 1", "fsync folder"]
    events.clear()
    with replacing_folder(tmp_path / "new") as fresh:
        (fresh / "a").write_text("2")
    assert events == ["fsync 2", "fsync folder", "rename folder", "fsync folder"]
    events.clear()
    with replacing_files(tmp_path) as fresh:
        (fresh / "a").write_text("3")
        (fresh / "b").write_text("4")
    assert sorted(events[:3]) == ["fsync 3", "fsync 4", "fsync folder"]
    inodes = {name: (tmp_path / name).stat().st_ino for name in ("a", "b")}
    record = json.dumps({"leaving": ["a"], "arriving": inodes})
    assert events[3:6] == [f"fsync {record}", f"replace {record}", "fsync folder"]
    assert events[6:] == ["rename 1", "rename 3", "rename 4", "fsync folder", "fsync folder", "fsync folder"]


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_failed_file_leaves_the_old_one(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a").write_text("old")

    def save() -> None:
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        save()
    assert tree(tmp_path) == {"a": "old"}


def test_a_link_to_a_file_is_replaced_and_not_its_target(tmp_path: Path) -> None:
    # a folder of huggingface_hub's cache is full of links to files that other revisions share
    (tmp_path / "blob").write_text("shared")
    (tmp_path / "a").symlink_to(tmp_path / "blob")
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("new")
    assert tree(tmp_path) == {"a": "new", "blob": "shared"}


def test_what_is_no_file_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with replacing(pipe) as same:
        same.write_text("through")
    assert (os.read(reader, 100), pipe.is_fifo(), sorted(tmp_path.iterdir())) == (b"through", True, [pipe])
    os.close(reader)
    link = tmp_path / "link"  # as /dev/stdout is one
    link.symlink_to(os.devnull)
    with replacing(link) as same:
        same.write_text("away")
    assert os.readlink(link) == os.devnull


def test_standard_output_that_is_a_file_stays_a_link_to_it(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as opened:
        link = tmp_path / "stdout"
        link.symlink_to(f"/proc/self/fd/{opened.fileno()}")
        with replacing(link) as same:
            same.write_text("all")
    assert ((tmp_path / "file").read_text(), link.is_symlink()) == ("all", True)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced(tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchange:
        monkeypatch.setattr(atomic.ctypes, "CDLL", lambda name: object())
    folder = tmp_path / "parent" / "index"
    with replacing_folder(folder) as fresh:
        (fresh / "a").write_text("1")
        (fresh / "b").write_text("1")
        assert not folder.exists()
    assert tree(tmp_path) == {"parent/index/a": "1", "parent/index/b": "1"}
    folder.chmod(0o750)
    with replacing_folder(folder) as fresh:
        (fresh / "a").write_text("2")
        assert tree(folder) == {"a": "1", "b": "1"}
    assert tree(tmp_path) == {"parent/index/a": "2"}
    assert folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_a_failed_folder_leaves_the_old_one(tmp_path: Path, old: bool, error: BaseException) -> None:
    folder = tmp_path / "index"
    if old:
        folder.mkdir()
        (folder / "a").write_text("1")
    before = tree(tmp_path)

    def save() -> None:
        with replacing_folder(folder) as fresh:
            (fresh / "a").write_text("2")
            raise error

    with pytest.raises(type(error)):
        save()
    assert tree(tmp_path) == before


@pytest.mark.parametrize("after", range(2))
def test_an_interrupt_between_the_renames_of_a_folder(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic.ctypes, "CDLL", lambda name: object())  # where the system cannot exchange in one step
    folder = tmp_path / "index"
    folder.mkdir()
    (folder / "a").write_text("1")

    def save() -> None:
        with replacing_folder(folder) as fresh:
            (fresh / "a").write_text("2")
            monkeypatch.setattr(atomic.os, "rename", failing(os.rename, after, Stop()))

    with pytest.raises(Stop):
        save()
    assert tree(tmp_path) == {"index/a": "1"}


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "current").symlink_to("v1")
    with replacing_folder(tmp_path / "current") as fresh:
        (fresh / "a").write_text("2")
    assert (tmp_path / "current").is_symlink()
    assert tree(tmp_path / "v1") == {"a": "2"}


def test_some_files_of_a_folder_are_replaced_and_the_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with replacing_files(folder) as new:
        (new / "config.json").write_text("1")
        (new / "1_Pooling").mkdir()
        (new / "1_Pooling" / "config.json").write_text("1")
        assert not folder.exists()
    assert folder.stat().st_mode & 0o700 == 0o700
    (folder / "README.md").write_text("mine")
    (folder / "weights-1").write_text("1")
    (folder / "weights-2").write_text("1")
    (folder / "checkpoint-500").mkdir()
    (folder / "checkpoint-500" / "weights-1").write_text("other")
    with replacing_files(folder, stale=lambda old, new: [name for name in old if name.startswith("w")]) as new:
        (new / "config.json").write_text("2")
        (new / "weights-1").write_text("2")
        (new / "1_Pooling").mkdir()
        (new / "1_Pooling" / "config.json").write_text("2")
        assert (folder / "config.json").read_text() == "1"
    assert tree(folder) == {
        "config.json": "2",
        "1_Pooling/config.json": "2",
        "weights-1": "2",
        "README.md": "mine",
        "checkpoint-500/weights-1": "other",
    }


@pytest.mark.parametrize("after", range(9))
def test_an_interrupt_at_any_rename_puts_all_files_back(
    tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("config.json", "weights-1", "weights-2", "old", "a/b")
    (tmp_path / "a").mkdir()
    for name in names:
        (tmp_path / name).write_text("1")
    before = tree(tmp_path)

    def save() -> None:
        with replacing_files(tmp_path, stale=lambda old, new: ["old"], last=("config.json",)) as new:
            (new / "a").mkdir()
            for name in ("config.json", "weights-1", "weights-2", "a/b"):
                (new / name).write_text("2")
            monkeypatch.setattr(atomic.os, "rename", failing(os.rename, after, Stop()))

    with pytest.raises(Stop):
        save()  # 5 old files go, 4 new ones come
    assert tree(tmp_path) == before


def test_a_reader_that_begins_with_the_last_file_never_meets_a_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config.json", "index", "shard-1", "shard-2"):
        (tmp_path / name).write_text("1")
    seen: list[tuple[str | None, ...]] = []

    def look(source: Path, target: Path) -> None:
        os_rename(source, target)
        texts = (tmp_path / name for name in ("config.json", "index", "shard-1", "shard-2"))
        seen.append(tuple(path.read_text() if path.exists() else None for path in texts))

    os_rename = os.rename
    monkeypatch.setattr(atomic.os, "rename", look)
    with replacing_files(tmp_path, last=("index", "config.json")) as new:
        for name in ("config.json", "index", "shard-1", "shard-2"):
            (new / name).write_text("2")
    assert len(seen) == 8
    for config, index, *shards in seen:
        if config is not None:
            assert (config, index, *shards) == ("2",) * 4
        if index is not None:
            assert set(shards) == {index}


def test_one_file_is_replaced_without_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights").write_text("1")
    monkeypatch.setattr(atomic.os, "rename", failing(os.rename, 0, AssertionError("the old file was taken away")))
    with replacing_files(tmp_path) as new:
        (new / "weights").write_text("2")
    assert tree(tmp_path) == {"weights": "2"}


def test_if_the_way_back_is_cut_off_as_well_nothing_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("1")

    def broken(source: Path, target: Path) -> None:
        if not (tmp_path / "b").exists():  # one old file is away
            raise OSError(5, "Input/output error")
        os_rename(source, target)

    os_rename = os.rename
    monkeypatch.setattr(atomic.os, "rename", broken)

    def save() -> None:
        with replacing_files(tmp_path) as new:
            (new / "a").write_text("2")
            (new / "b").write_text("2")

    with pytest.raises(OSError, match="Input/output"):
        save()
    assert (tmp_path / "a").read_text() == "1"
    assert (tmp_path / ".saving-commit" / "old" / "b").read_text() == "1"
    monkeypatch.undo()
    assert open_folder(tmp_path).require("b").read_text() == "1"
    assert tree(tmp_path) == {"a": "1", "b": "1"}


FULL_DISK = """
import os, resource, sys
from pathlib import Path
from tfx_core.checkpoint import replacing, replacing_files, replacing_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
folder = Path(sys.argv[1])
for block, path in ((replacing, folder / "file"), (replacing_folder, folder / "folder"), (replacing_files, folder)):
    try:
        with block(path) as new:
            (new if block is replacing else new / "file").write_bytes(b"x" * 2000)
    except OSError as error:
        print(type(error).__name__, error.errno)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are a POSIX notion")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("old")
    before = tree(tmp_path)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["OSError 27"] * 3
    assert tree(tmp_path) == before
