"""Folders that cannot be, or that their user may not see: one error of each reader and each save."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tfx_core
from tfx_core.checkpoint import write_folder
from tfx_core.embedding import Passage
from tfx_core.errors import TfxError
from tfx_retrieval import open_index, write_index


def save_index(folder: Path) -> None:
    write_index([([Passage("a")], np.ones((1, 2), np.float32))], folder, dimension=2)


def save_model(folder: Path) -> None:
    with write_folder(folder) as new:
        (new / "config.json").write_text("{}")


USES: dict[str, Callable[[Path], object]] = {
    "load a model": tfx_core.load_model,
    "load a model by a string": lambda path: tfx_core.load_model(str(path)),
    "load a tokenizer": tfx_core.load_tokenizer,
    "open an index": open_index,
    "save a model": save_model,
    "save an index": save_index,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "a" * 300, "sub/" * 2000])
def test_a_name_that_no_file_can_have(tmp_path: Path, use: Callable[[Path], object], name: str) -> None:
    with pytest.raises(TfxError, match=r"(cannot be opened|could not be saved): "):
        use(tmp_path / name)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_folder_that_may_not_be_looked_into(
    tmp_path: Path, use: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(TfxError, match=r"(cannot be opened|could not be saved): Permission denied"):
        use(tmp_path / "folder")


def test_a_manifest_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_index(tmp_path / "index")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(TfxError) as caught:
        open_index(tmp_path / "index")
    assert str(caught.value) == f"{tmp_path}/index/passage-index.json: cannot be read: Permission denied"
