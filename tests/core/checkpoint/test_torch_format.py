"""``pytorch_model.bin``: what ``torch.save`` writes is read, and nothing in it is run."""

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tfx_core.checkpoint.torch_format import read_torch_file
from tfx_core.errors import CheckpointError

FORMATS: list[dict[str, Any]] = [
    {},
    {"pickle_protocol": 4},
    {"pickle_protocol": 5},
    {"_use_new_zipfile_serialization": False},
    {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
]


def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    base = torch.randn(8, 6)
    tagged = nn.Parameter(torch.randn(2))
    tagged.partition_dim = 0  # as Megatron does
    return {
        "matrix": torch.randn(3, 4),
        "rows of base": base[2:5],
        "columns of base": base[:, 1:3],
        "base transposed": base.t(),
        "one element": base[3:4, 2:3],
        "repeated": torch.ones(1, 2).expand(4, 2),
        "parameter": nn.Parameter(torch.randn(2, 2)),
        "tagged": tagged,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "half": torch.randn(5).half(),
        "bfloat16": torch.randn(5).bfloat16(),
        "int64": torch.arange(4),
        "bool": torch.tensor([True, False]),
        "complex": torch.randn(3, dtype=torch.complex64),
        "uint16": torch.arange(4).to(torch.uint16),
        "float8": torch.randn(4).to(torch.float8_e4m3fn),
    }


def raw(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("form", FORMATS, ids=str)
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_every_tensor_is_as_it_was_saved(tmp_path: Path, form: dict[str, Any], kind: type[dict[str, Tensor]]) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save(kind(state()), path, **form)
    entries = read_torch_file(path, "x")
    expected = state()
    assert entries.keys() == expected.keys()
    for name, tensor in expected.items():
        entry = entries[name]
        assert (entry.name, entry.dtype, entry.shape) == (name, tensor.dtype, tuple(tensor.shape))
        loaded = entry.load()
        assert loaded.is_contiguous()
        assert raw(loaded) == raw(tensor)
        target = torch.empty(tensor.shape, dtype=torch.complex128 if tensor.is_complex() else torch.float64)
        entry.copy_into(target)
        assert torch.equal(target, tensor.detach().to(target.dtype))


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_the_state_of_a_module(tmp_path: Path, form: dict[str, Any]) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    torch.save(module.state_dict(), tmp_path / "x", **form)
    entries = read_torch_file(tmp_path / "x", "x")
    assert {name: raw(entry.load()) for name, entry in entries.items()} == {
        name: raw(tensor) for name, tensor in module.state_dict().items()
    }


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_tensors_on_one_storage_get_memory_of_their_own(tmp_path: Path, form: dict[str, Any]) -> None:
    shared = torch.zeros(64)
    torch.save({"a": shared, "b": shared, "c": shared[16:32]}, tmp_path / "x", **form)
    before = (tmp_path / "x").read_bytes()
    entries = read_torch_file(tmp_path / "x", "x")
    assert entries["a"].same_values(entries["b"])
    assert not entries["a"].same_values(entries["c"])
    tensors = [entries[name].load() for name in "abc"]
    tensors[0].add_(1)
    assert [tensor.sum().item() for tensor in tensors] == [64, 0, 0]
    assert (tmp_path / "x").read_bytes() == before


def test_a_storage_saved_on_a_gpu_by_an_old_torch(tmp_path: Path) -> None:
    torch.save({"a": torch.arange(3.0)}, tmp_path / "x", _use_new_zipfile_serialization=False)
    data = (tmp_path / "x").read_bytes()
    assert data.count(b"ctorch\nFloatStorage\n") == 1
    (tmp_path / "x").write_bytes(data.replace(b"ctorch\nFloatStorage\n", b"ctorch.cuda\nFloatStorage\n"))
    assert read_torch_file(tmp_path / "x", "x")["a"].load().tolist() == [0, 1, 2]


class Run:
    """Unpickled, this runs a command."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def legacy(value: object, protocol: int = 2) -> bytes:
    parts = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}, value, []]
    return b"".join(pickle.dumps(part, protocol=protocol) for part in parts)


def archive(value: object, protocol: int = 2) -> bytes:
    return archive_of(pickle.dumps(value, protocol=protocol))


def archive_of(description: bytes, **records: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", description)
        for name, data in records.items():
            file.writestr(f"archive/{name}", data)
    return buffer.getvalue()


@pytest.mark.parametrize("wrap", [legacy, archive])
@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("place", ["top", "in a dict", "as a key", "in a call that is allowed"])
def test_code_is_not_run(tmp_path: Path, wrap: Any, protocol: int, place: str) -> None:
    trace = tmp_path / "trace"
    run: Any = Run(os.mkdir, str(trace))
    if place == "in a dict":
        run = {"weight": run}
    elif place == "as a key":
        run = {(1, Run(os.mkdir, str(trace))): 1}
    elif place == "in a call that is allowed":
        run = Run(OrderedDict, [["weight", run]])
    pickle.loads(pickle.dumps(run, protocol=protocol))
    assert trace.exists(), "the pickle is harmless, so that this test would show nothing"
    trace.rmdir()

    (tmp_path / "x").write_bytes(wrap(run, protocol))
    with pytest.raises(CheckpointError) as caught:
        read_torch_file(tmp_path / "x", "folder/pytorch_model.bin")
    assert not trace.exists()
    assert str(caught.value).startswith("folder/pytorch_model.bin: ")
    if protocol >= 2:
        assert "mkdir" in str(caught.value)
        assert "nothing of this file was executed" in str(caught.value)


@pytest.mark.parametrize(
    ("description", "asks"),
    [
        (b"cbuiltins\neval\n(X\x01\x00\x00\x001tR.", "asks to call 'builtins.eval'"),
        (b"ctorch.serialization\nload\n(X\x01\x00\x00\x00xtR.", "asks to call 'torch.serialization.load'"),
        (b"ctorch._utils\n_rebuild_qtensor\n(tR.", "asks to call 'torch._utils._rebuild_qtensor'"),
        (b"(ios\nsystem\n.", "asks for the instruction INST"),
        (b"(cos\nsystem\no.", "asks for the instruction OBJ"),
        (b"\x80\x02cos\nsystem\n)\x81.", "asks to call 'os.system'"),
        (b"\x80\x02\x82\x01.", "asks for the instruction EXT1"),
        (b"\x80\x05\x97.", "asks for the instruction NEXT_BUFFER"),
        (b"(X\x06\x00\x00\x00moduleX\x01\x00\x00\x00atQ.", "holds a whole pickled model"),
        # to be built from a function that is not a name, or a class with attributes
        (b"\x80\x02X\x01\x00\x00\x00a)R.", "the pickle is damaged"),
        (b"\x80\x02]}b.", "holds a list"),
        (b"\x80\x02}.", None),
        (b"\x80\x02cos\nsystem\n.", "holds a Global"),
        (b"\x80\x02}X\x01\x00\x00\x00acos\nsystem\ns.", "'a' is a Global"),
        (b"", "the pickle is damaged"),
        (b"\x80\x02", "the pickle is damaged"),
        (b".", "the pickle is damaged"),
        (b"R.", "the pickle is damaged"),
        (b"t.", "the pickle is damaged"),
        (b"h\x05.", "the pickle is damaged"),
        (b"\x80\x02}]K\x01s.", "the pickle is damaged"),
        (b"\x80\x02K\x01K\x01a.", "the pickle is damaged"),
        (b"\x80\x02]}X\x01\x00\x00\x00aK\x01K\x01u.", "the pickle is damaged"),
        (b"B\xff\xff\xff\x7f.", "the pickle is damaged"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\x0f.", "the pickle is damaged"),
        (b"}" + b")\x85" * 300_000 + b"K\x01s.", "the pickle is damaged"),  # deep enough to crash whoever hashes it
    ],
)
def test_a_hostile_or_damaged_description(tmp_path: Path, description: bytes, asks: str | None) -> None:
    (tmp_path / "x").write_bytes(archive_of(description))
    if asks is None:
        assert read_torch_file(tmp_path / "x", "x") == {}
        return
    with pytest.raises(CheckpointError) as caught:
        read_torch_file(tmp_path / "x", "x")
    assert asks in str(caught.value)


TENSOR = (
    b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
    b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ%stR%s."
)


def described(offset: bytes = b"K\x00", shape: bytes = b"K\x04\x85", stride: bytes = b"K\x01\x85") -> bytes:
    return TENSOR.replace(b"%s", offset + shape + stride + b"\x89N", 1).replace(b"%s", b"s", 1)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (described(), None),
        (described(offset=b"K\x01"), "'a' reaches beyond its data"),
        (described(offset=b"J\xff\xff\xff\xff"), "'a' has no usable shape"),
        (described(shape=b"K\x05\x85"), "'a' reaches beyond its data"),
        (described(shape=b"J\xff\xff\xff\xff\x85"), "'a' has no usable shape"),
        (described(stride=b"J\xff\xff\xff\xff\x85"), "'a' has no usable shape"),
        (described(stride=b"K\x02\x85"), "'a' reaches beyond its data"),
        (described(stride=b"K\x01K\x01\x86"), "'a' has no usable shape"),
        (described(shape=b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00\x85"), "'a' has no usable shape"),
        (described(shape=b"X\x01\x00\x00\x004\x85"), "'a' has no usable shape"),
        (described().replace(b"FloatStorage", b"QInt8Storage"), "storage of the unknown type 'torch.QInt8Storage'"),
        (described().replace(b"ctorch\nFl", b"cos\nFl"), "storage of the unknown type 'os.FloatStorage'"),
        (described().replace(b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x001"), "the data of 'a', storage '1', is missing"),
        (described().replace(b"X\x07\x00\x00\x00storage", b"X\x07\x00\x00\x00someone"), "refers to something"),
    ],
)
def test_a_tensor_stays_within_its_data(tmp_path: Path, description: bytes, message: str | None) -> None:
    (tmp_path / "x").write_bytes(archive_of(description, **{"data/0": struct.pack("<4f", 1, 2, 3, 4)}))
    if message is None:
        assert read_torch_file(tmp_path / "x", "x")["a"].load().tolist() == [1, 2, 3, 4]
        return
    with pytest.raises(CheckpointError, match=message):
        read_torch_file(tmp_path / "x", "x")


@pytest.mark.parametrize("form", [{}, {"_use_new_zipfile_serialization": False}], ids=str)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"epoch": 3, "state_dict": {"a": torch.ones(2)}}, "'epoch' is a int, where a dict of named tensors"),
        ({"state_dict": {"a": torch.ones(2)}}, "'state_dict' is a dict, where a dict of named tensors"),
        ([torch.ones(2)], "holds a list, where a dict of named tensors"),
        ({1: torch.ones(2)}, "1 is a _View"),
    ],
)
def test_what_is_no_dict_of_tensors(tmp_path: Path, form: dict[str, Any], value: object, message: str) -> None:
    torch.save(value, tmp_path / "x", **form)
    with pytest.raises(CheckpointError, match=message):
        read_torch_file(tmp_path / "x", "x")


def test_a_whole_model_or_a_program_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "x")
    with pytest.raises(CheckpointError, match=r"asks to call 'torch\.nn\.modules\.linear\.Linear'"):
        read_torch_file(tmp_path / "x", "x")
    torch.save(nn.Linear(2, 2), tmp_path / "x", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match="holds a whole pickled model"):
        read_torch_file(tmp_path / "x", "x")
    (tmp_path / "x").write_bytes(archive_of(b"}.", **{"constants.pkl": b"", "code/x.py": b""}))
    with pytest.raises(CheckpointError, match="TorchScript"):
        read_torch_file(tmp_path / "x", "x")


def test_an_archive_that_contradicts_itself(tmp_path: Path) -> None:
    path = tmp_path / "x"
    torch.save({"a": torch.arange(4.0), "b": torch.arange(5.0)}, path)
    whole = path.read_bytes()
    tensor = torch.arange(4.0).numpy().tobytes()

    def refused(data: bytes) -> str:
        assert data != whole
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match="x: is no file of tensors: ") as caught:
            read_torch_file(path, "x")
        return str(caught.value)

    def patched(at: int, new: bytes) -> bytes:
        return whole[:at] + new + whole[at + len(new) :]

    def swapped(old: bytes, new: bytes, where: bytes) -> bytes:
        """``old`` of the directory or the headers, which begin with ``where``."""
        at = next(at for at in range(len(whole)) if whole[at:].startswith(where) and old in whole[at : at + 80])
        return patched(whole.index(old, at), new)

    local, directory = b"PK\x03\x04", b"PK\x01\x02"
    assert "its checksum is not" in refused(whole.replace(b"FloatStorage", b"HalfStorage\n"))
    assert "record 'x/data/0' is damaged, its checksum" in refused(patched(whole.index(tensor) + 5, b"\x01"))
    assert "is another one in the directory" in refused(swapped(b"x/data/0", b"x/data/7", local))
    assert "is another one in the directory" in refused(swapped(b"x/data/0", b"x/data/7", directory))
    assert "'x/data/0' is there twice" in refused(whole.replace(b"x/data/1", b"x/data/0"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x/data.pkl", b"}.")
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("x/data.pkl", b"].")
    assert "'x/data.pkl' is there twice" in refused(buffer.getvalue())
    # a second record that is listed with the place of the first
    entries = [at for at in range(len(whole)) if whole[at : at + 4] == directory and b"x/data/" in whole[at : at + 60]]
    places = [whole[at + 42 : at + 46] for at in entries]
    assert "lie over each other" in refused(patched(entries[1] + 42, places[0]))
    assert "lie over each other" in refused(patched(entries[0] + 16, struct.pack("<3I", 0, 500, 500)))


def test_sums_that_torch_was_told_to_leave_out_are_not_missed(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.arange(4.0)}, tmp_path / "x")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_torch_file(tmp_path / "x", "x")["a"].load().tolist() == [0, 1, 2, 3]


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def refused(data: bytes) -> str:
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            read_torch_file(path, "folder/x")
        assert str(caught.value).startswith("folder/x: is no file of tensors: ")
        assert str(caught.value).endswith("; download or save it again")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "damaged" in refused(b"")
    assert "damaged" in refused(b"version https://git-lfs.github.com/spec/v1\n")
    assert "big-endian" in refused(legacy({}).replace(b"\x88", b"\x89", 1))  # little_endian: False
    assert "big-endian" in refused(archive_of(b"}.", byteorder=b"big"))
    assert "no data.pkl" in refused(archive_of(b"}.").replace(b"data.pkl", b"data.pkm"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"}." + b" " * 100)
    assert "is compressed" in refused(buffer.getvalue())

    torch.save({"a": torch.ones(100)}, path)
    whole = path.read_bytes()
    refused(whole[: len(whole) // 2])
    torch.save({"a": torch.ones(100)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    assert "cut short" in refused(whole[:-1])
    refused(whole[: len(whole) // 3])


def saved(**form: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(6.0).view(2, 3), "b": torch.arange(3)}, buffer, **form)
    return buffer.getvalue()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.sampled_from([saved(), saved(_use_new_zipfile_serialization=False)]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=4),
)
def test_a_mutated_file_is_refused_or_read_within_its_bounds(
    tmp_path: Path, data: bytes, changes: list[tuple[float, bytes]]
) -> None:
    changed = bytearray(data)
    for place, what in changes:
        at = int(place * len(data))
        changed[at : at + len(what)] = what
    path = tmp_path / "x"
    path.write_bytes(bytes(changed))
    try:
        entries = read_torch_file(path, "x")
    except CheckpointError:
        return
    for entry in entries.values():
        assert 0 <= entry.start <= entry.start + entry.nbytes <= len(changed)
        if entry.nbytes < 1000 and torch.Size(entry.shape).numel() < 1000:
            assert tuple(entry.load().shape) == entry.shape
