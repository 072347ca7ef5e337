"""From a module to the files of a checkpoint folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from tests.core.checkpoint.tiny import TABLE, TIES, build, load, weights
from tfx_core.checkpoint import (
    Rename,
    Same,
    WeightTable,
    atomic,
    collect_weights,
    load_weights,
    open_folder,
    read_tensors,
    save_tensors,
    write_folder,
)
from tfx_core.errors import CheckpointError, InputError

INDEX = "model.safetensors.index.json"


def read(folder: Path) -> dict[str, list[float]]:
    return {name: entry.load().tolist() for name, entry in read_tensors(open_folder(folder)).items()}


def read_by_others(folder: Path) -> dict[str, list[float]]:
    """As a library reads it that does not know how we save."""
    names = {"model.safetensors"}
    if (folder / INDEX).exists():
        names = {*json.loads((folder / INDEX).read_text())["weight_map"].values()}
    tensors = [safetensors.torch.load_file(folder / name) for name in names]
    return {name: tensor.tolist() for each in tensors for name, tensor in each.items()}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def numbered(*sizes: int) -> dict[str, Tensor]:
    return {f"t{number}": torch.full((size,), float(number)) for number, size in enumerate(sizes)}


def test_one_file(tmp_path: Path) -> None:
    save_tensors(tmp_path / "new" / "model", numbered(3, 2))
    assert files(tmp_path / "new" / "model") == ["model.safetensors"]
    assert read(tmp_path / "new" / "model") == {"t0": [0, 0, 0], "t1": [1, 1]}


def test_shards_and_their_index(tmp_path: Path) -> None:
    tensors = numbered(5, 5, 20, 1, 1)
    save_tensors(tmp_path, tensors, max_shard_size=40)
    shards = [f"model-{number:05d}-of-00003.safetensors" for number in (1, 2, 3)]
    assert files(tmp_path) == [*shards, INDEX]
    index = json.loads((tmp_path / INDEX).read_text())
    assert index == {
        "metadata": {"total_size": 128},
        "weight_map": {"t0": shards[0], "t1": shards[0], "t2": shards[1], "t3": shards[2], "t4": shards[2]},
    }
    for shard in shards:
        for name, tensor in safetensors.torch.load_file(tmp_path / shard).items():
            assert index["weight_map"][name] == shard
            assert torch.equal(tensor, tensors[name])
    assert read(tmp_path) == {name: tensor.tolist() for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ("size", "shards"), [("1KB", 4), ("1 kb", 4), (1000, 4), ("1KiB", 2), (512, 4), ("5GB", 1), ("1MB", 1)]
)
def test_sizes_of_shards(tmp_path: Path, size: int | str, shards: int) -> None:
    save_tensors(tmp_path, numbered(128, 128, 128, 128), max_shard_size=size)  # 512 bytes each
    assert len(list(tmp_path.glob("*.safetensors"))) == shards
    assert (tmp_path / INDEX).exists() == (shards > 1)


@pytest.mark.parametrize("size", ["5G", "-1", 0, "GB", "1.5GB", -5])
def test_a_size_that_is_none(tmp_path: Path, size: int | str) -> None:
    with pytest.raises(InputError, match=r"max_shard_size=.*: must be a number of bytes"):
        save_tensors(tmp_path, numbered(1), max_shard_size=size)
    assert files(tmp_path) == []


def test_an_earlier_save_leaves_nothing_that_would_be_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "model-of-mine.safetensors").write_text("mine")
    others = {"README.md", "model-of-mine.safetensors"}
    for sizes, limit in (((3,), 100), ((9, 9, 9), 40), ((9, 9), 40), ((9, 9, 9), 40), ((2,), 100)):
        tensors = numbered(*sizes)
        save_tensors(tmp_path, tensors, max_shard_size=limit)
        assert read(tmp_path) == {name: tensor.tolist() for name, tensor in tensors.items()}
        expected = 1 if len(sizes) == 1 else len(sizes) + 1
        assert others <= set(files(tmp_path))
        assert len(set(files(tmp_path)) - others) == expected


def test_files_of_one_save_become_visible_together(tmp_path: Path) -> None:
    save_tensors(tmp_path, numbered(1))
    (tmp_path / "config.json").write_text("old")
    with write_folder(tmp_path) as staging:
        (staging / "config.json").write_text("new")
        save_tensors(staging, numbered(2, 2, 2), max_shard_size=8)
        assert read(tmp_path) == {"t0": [0]}
        assert (tmp_path / "config.json").read_text() == "old"
    assert read(tmp_path) == {"t0": [0, 0], "t1": [1, 1], "t2": [2, 2]}
    assert (tmp_path / "config.json").read_text() == "new"
    assert len(files(tmp_path)) == 5


def test_a_library_that_begins_with_the_config_never_meets_weights_of_another_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(mark: int, limit: int) -> None:
        with write_folder(tmp_path) as staging:
            (staging / "config.json").write_text(str(mark))
            save_tensors(staging, {name: tensor + mark for name, tensor in numbered(4, 4, 4).items()}, limit)

    def look(source: Path, target: Path) -> None:
        os_rename(source, target)
        if source.parent == tmp_path or target.parent == tmp_path:
            looks.append((tmp_path / "config.json").exists())
            if looks[-1]:
                mark = int((tmp_path / "config.json").read_text())
                assert read_by_others(tmp_path) == {f"t{number}": [number + mark] * 4 for number in range(3)}

    os_rename = os.rename
    monkeypatch.setattr(atomic.os, "rename", look)
    for mark, limit in enumerate((100, 16, 16, 32, 100)):
        looks: list[bool] = []
        save(mark, limit)
        assert looks == [*[False] * (len(looks) - 1), True]


@pytest.mark.parametrize("max_shard_size", ["5GB", 40])
@pytest.mark.parametrize("call", range(12))
def test_a_disk_that_fills_up_at_any_moment(
    tmp_path: Path, call: int, max_shard_size: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_tensors(tmp_path, numbered(9, 9), max_shard_size=max_shard_size)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    calls = 0

    def full(real: object) -> object:
        def wrapper(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls > call:
                raise OSError(28, "No space left on device")
            return real(*arguments)  # type: ignore[operator]

        return wrapper

    monkeypatch.setattr(atomic.os, "fsync", full(os.fsync))
    message = None
    try:
        save_tensors(tmp_path, numbered(8, 8), max_shard_size=max_shard_size)
    except CheckpointError as error:
        message = str(error)
    if message is None:
        assert read(tmp_path) == {"t0": [0] * 8, "t1": [1] * 8}
        assert calls <= call + 4  # to synchronise a folder is a help, its failure no reason to fail
    else:
        assert message == f"{tmp_path}: could not be saved: No space left on device; what was there before is unchanged"
        assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before
    monkeypatch.undo()
    assert not [name for name in files(tmp_path) if name.startswith(".")]


FULL_DISK = """
import resource, sys, torch
from tfx_core.checkpoint import save_tensors
from tfx_core.errors import CheckpointError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_tensors(sys.argv[1], {"a": torch.ones(1000), "b": torch.ones(100_000)}, max_shard_size=int(sys.argv[2]))
except CheckpointError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are a POSIX notion")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    save_tensors(tmp_path, numbered(3))
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), "10000"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"{tmp_path}: could not be saved: File too large; what was there before is unchanged")
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_an_interrupt_while_a_tensor_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tensors(tmp_path, numbered(3))

    class Interrupting(torch.Tensor):
        def contiguous(self, *arguments: object, **options: object) -> Tensor:  # type: ignore[override]
            raise KeyboardInterrupt

    tensors = {**numbered(2, 2), "t2": torch.ones(2).as_subclass(Interrupting)}
    with pytest.raises(KeyboardInterrupt):
        save_tensors(tmp_path, tensors, max_shard_size=8)
    assert files(tmp_path) == ["model.safetensors"]
    assert read(tmp_path) == {"t0": [0, 0, 0]}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="could not be saved: Not a directory"):
        save_tensors(tmp_path / "file", numbered(1))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match=rf"file/model: could not be saved: .*: {tmp_path}/file is a file; "):
        save_tensors(tmp_path / "file" / "model", numbered(1))


def test_no_name_is_no_folder_and_a_tilde_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(CheckpointError, match="an empty string names no place to save to; give a folder"):
        save_tensors("", numbered(1))
    save_tensors("~/model", numbered(1))
    assert files(tmp_path) == ["home"]
    assert read(tmp_path / "home" / "model") == {"t0": [0]}


def test_a_tensor_that_cannot_be_stored_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"t0: a tensor without values"):
        save_tensors(tmp_path, {"t0": torch.ones(2, device="meta")})
    assert files(tmp_path) == []


def test_saving_over_the_files_that_a_model_is_mapped_from(tmp_path: Path) -> None:
    stored = weights("masked-lm")
    module = load(tmp_path, stored, "masked-lm", ties=TIES)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2)
    collected = collect_weights(module, TABLE, head="masked-lm", ties=TIES)
    save_tensors(tmp_path, collected)
    again = build("masked-lm")
    load_weights(again, read_tensors(open_folder(tmp_path)), TABLE, head="masked-lm", ties=TIES)
    for name, tensor in module.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    assert torch.equal(again.backbone.embeddings.weight, 2 * stored["bert.embeddings.weight"])


def test_a_second_name_is_stored_where_the_reference_needs_it() -> None:
    table = WeightTable(
        parts={"core": (Rename("a.{p}", "layer.{p}"), Same("b.{p}", "a.{p}", written=True), Same("c.{p}", "a.{p}"))},
        heads={"backbone": ("core",)},
    )
    module = torch.nn.ModuleDict({"layer": torch.nn.Linear(2, 2)})
    collected = collect_weights(module, table, head="backbone")
    assert collected.keys() == {"a.weight", "a.bias", "b.weight", "b.bias"}
    assert torch.equal(collected["b.weight"], module["layer"].weight)


def test_a_second_name_may_be_the_one_that_is_stored() -> None:
    table = WeightTable(
        parts={"core": (Rename("a.{p}", "layer.{p}"), Same("b.{p}", "a.{p}", instead=True))},
        heads={"backbone": ("core",)},
    )
    module = torch.nn.ModuleDict({"layer": torch.nn.Linear(2, 2)})
    assert collect_weights(module, table, head="backbone").keys() == {"b.weight", "b.bias"}


def test_tied_parameters_are_stored_twice_where_both_are_always() -> None:
    rules = (Rename("a.weight", "one.weight"), Rename("b.weight", "two.weight", always=True))
    module = torch.nn.ModuleDict({name: torch.nn.Linear(2, 2, bias=False) for name in ("one", "two")})
    module["two"].weight = module["one"].weight
    ties = (("two.weight", "one.weight"),)
    for given, names in (
        (rules, {"a.weight", "b.weight"}),
        ((rules[0], Rename("b.weight", "two.weight")), {"a.weight"}),
    ):
        table = WeightTable(parts={"core": given}, heads={"backbone": ("core",)})
        assert collect_weights(module, table, head="backbone", ties=ties).keys() == names


def test_tied_parameters_are_stored_once(tmp_path: Path) -> None:
    stored = weights("masked-lm")
    del stored["cls.decoder.weight"]
    module = load(tmp_path, stored, "masked-lm", ties=TIES)
    collected = collect_weights(module, TABLE, head="masked-lm", ties=TIES)
    assert collected.keys() == stored.keys()
    module.backbone.embeddings.weight = torch.nn.Parameter(module.backbone.embeddings.weight + 1)
    assert "cls.decoder.weight" in collect_weights(module, TABLE, head="masked-lm", ties=TIES)
