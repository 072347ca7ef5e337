"""Local folders, and what is never looked up on the hub."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tfx_core.checkpoint import open_folder
from tfx_core.checkpoint.hub import HubFolder
from tfx_core.errors import CheckpointError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling": "mean"}')
    (tmp_path / "config.json").write_text('{"model_type": "bert", "name": "höher"}', encoding="utf-8")
    return tmp_path


def test_files_by_name(folder: Path) -> None:
    files = open_folder(folder)
    assert files.label == str(folder)
    assert files.path("config.json") == folder / "config.json"
    assert files.path("absent.json") is None
    assert files.json("1_Pooling/config.json") == {"pooling": "mean"}
    assert files.json("config.json") == {"model_type": "bert", "name": "höher"}
    assert files.json("absent.json") is None
    with pytest.raises(CheckpointError, match=r"the file 'absent\.json' is missing"):
        files.require("absent.json")


def test_json_is_read_once(folder: Path) -> None:
    files = open_folder(folder)
    assert files.json("late.json") is None
    (folder / "late.json").write_text('{"a": 1}')
    assert files.json("late.json") == {"a": 1}
    (folder / "late.json").write_text('{"a": 2}')
    assert files.json("late.json") == {"a": 1}
    assert open_folder(folder).json("late.json") == {"a": 2}


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", "../config.json", "1_Pooling/../../x", "/etc/passwd", "C:/x", "C:x", "..\\x", "\\\\host\\x", "a\\b",
     "a//b", "./config.json", "a/", "a\0b"],
)  # fmt: skip
def test_a_name_cannot_leave_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="file name"):
        open_folder(folder / "1_Pooling").path(name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": "\xff"}', "config.json: byte 7 is not UTF-8"),
        (b'{"a": 1,\n "b" 2}', "config.json: line 2, column 6: Expecting ':' delimiter"),
        (b"", "config.json: line 1, column 1"),
        (b"[1, 2]", "config.json: holds a JSON list; an object"),
        (b'"text"', "config.json: holds a JSON str"),
        (b'{"a":' * 100_000, "config.json: is not usable JSON"),
        (b'{"a":' + b"1" * 5000 + b"}", "config.json: is not usable JSON"),
        (b'{"a": {"b": 1, "c": [2], "b": 1}}', "config.json: is not usable JSON: an object has the key 'b' twice"),
        (b'{"a": ["\\ud83d\\u0041"]}', "config.json: holds half of a surrogate pair"),
    ],
)
def test_json_errors_name_file_and_position(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        open_folder(tmp_path).json("config.json")
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_whole_surrogate_pair_is_a_character(folder: Path) -> None:
    (folder / "config.json").write_bytes(b'{"a": "\\ud83d\\ude00 \\\\ud83d"}')
    assert open_folder(folder).json("config.json") == {"a": "\U0001f600 \\ud83d"}


def test_json_of_more_than_can_be_held_cheaply(folder: Path) -> None:
    for text, message in (
        (b'{"a": [' + b"{}," * 600_000 + b"0]}", "1200002 values in"),
        (b'{"a": "' + b" " * 25_000_000 + b'"}', "1 values in 25000001 bytes"),
    ):
        (folder / "config.json").write_bytes(text)
        with pytest.raises(CheckpointError, match=rf"config\.json: is too large for JSON, {message}"):
            open_folder(folder).json("config.json")


def test_only_plain_files_are_read(folder: Path) -> None:
    (folder / "device").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    for name in ("device", "pipe", "1_Pooling"):
        with pytest.raises(CheckpointError, match=f"{name}: is no plain file"):
            open_folder(folder).json(name)
    (folder / "link").symlink_to("config.json")
    assert open_folder(folder).json("link")
    with pytest.raises(CheckpointError, match=r"'x{79}… is too long for the name of a file"):
        open_folder(folder).json("x" * 300)


def test_a_file_that_cannot_be_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"config\.json: cannot be read: Permission denied"):
        open_folder(folder).json("config.json")


def test_a_path_that_exists_is_used_and_never_a_hub_id(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "org" / "model").mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert open_folder("org/model").label == "org/model"
    assert open_folder("org").path("x") is None
    monkeypatch.setenv("HOME", str(folder))
    assert open_folder("~/org").label == str(folder / "org")


@pytest.mark.parametrize("path", ["./model", "../model", "/model", "~/model", "~nobody/model", "a/b/c", "org/model/"])
def test_what_looks_like_a_path_is_not_looked_up(path: str) -> None:
    with pytest.raises(CheckpointError, match="there is no such folder"):
        open_folder(path)


def test_a_path_object_is_not_looked_up() -> None:
    with pytest.raises(CheckpointError, match="bert-base-uncased: there is no such folder"):
        open_folder(Path("bert-base-uncased"))


def test_an_address_is_no_hub_id() -> None:
    with pytest.raises(CheckpointError, match=r"https://huggingface.co/org/name: is an address; give the hub id alone"):
        open_folder("https://huggingface.co/org/name")


def test_what_is_neither_path_nor_hub_id(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="a hub id reads"):
        open_folder("my model")
    with pytest.raises(CheckpointError, match="empty string"):
        open_folder("")
    with pytest.raises(CheckpointError, match=r"config.json: is a file; give the folder"):
        open_folder(folder / "config.json")
    with pytest.raises(CheckpointError, match="has no revision 'v1'"):
        open_folder(folder, revision="v1")
    assert open_folder(folder, revision="main").label == str(folder)


def test_anything_else_is_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("gpt2", "google-t5/t5-small", "facebook/mbart-large-50_x.y"):
        folder = open_folder(name, revision="v1")
        assert isinstance(folder, HubFolder)
        assert folder.label == f"{name}@v1"


def test_reading_a_folder_imports_neither_torch_nor_huggingface_hub(folder: Path) -> None:
    code = (
        "import sys; from tfx_core.checkpoint import open_folder\n"
        f"open_folder({str(folder)!r}).json('config.json')\n"
        "assert not {'huggingface_hub', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["x" * 300, "é" * 200, "a/" * 600 + "b", "\ud800.json"])
def test_a_name_that_no_file_can_have_is_an_error(name: str, folder: Path) -> None:
    with pytest.raises(CheckpointError, match="too long for the name of a file, or no Unicode") as caught:
        open_folder(folder).path(name)
    assert len(str(caught.value)) < len(str(folder)) + 200


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "is a web page saved under this name"),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "spiece.model"])
def test_a_file_that_stands_for_another_is_called_what_it_is(
    tmp_path: Path, contents: bytes, told: str, name: str
) -> None:
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(CheckpointError, match=rf"{name}: {told}"):
        open_folder(tmp_path).path(name)


def test_folders_of_similar_names_are_listed(tmp_path: Path) -> None:
    (tmp_path / "models" / "bert-tiny").mkdir(parents=True)
    for wrong in ("modles/bert-tiny", "models/bert_tiny1"):
        right = "models" if wrong.startswith("modles") else "models/bert-tiny"
        with pytest.raises(CheckpointError, match=f"there is no such folder; similar folders: {tmp_path}/{right}$"):
            open_folder(tmp_path / wrong)


def test_a_subfolder_of_a_local_folder(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part/config.json").write_text("{}")
    assert open_folder(tmp_path, subfolder="part").json("config.json") == {}
    with pytest.raises(CheckpointError, match=r"prt: there is no such folder; similar folders: .*/part$"):
        open_folder(tmp_path, subfolder="prt")


@pytest.mark.parametrize("nothing", [None, b"folder", 3])
def test_what_is_no_name_is_refused(nothing: Any) -> None:
    with pytest.raises(CheckpointError, match="names no checkpoint; give a folder or a hub id"):
        open_folder(nothing)
