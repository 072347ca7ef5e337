"""The safetensors format, compared with the library that defines it, on good files and on damaged ones."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tfx_core.checkpoint.safetensors_format import read_safetensors, write_safetensors
from tfx_core.errors import CheckpointError

DTYPES = [
    *(torch.bool, torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32, torch.uint64),
    *(torch.int64, torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.float16, torch.float32),
    *(torch.float64, torch.complex64),
]


def raw(tensor: Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same(ours: Tensor, theirs: Tensor) -> None:
    assert (ours.dtype, ours.shape, raw(ours)) == (theirs.dtype, theirs.shape, raw(theirs))


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    values = {f"of.{dtype}": torch.randint(0, 2, (3, 5)).to(dtype) for dtype in DTYPES}
    return {
        **values,
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 4),
        "transposed": torch.randn(4, 6).t(),
        "slice": torch.randn(8, 8)[2:5, ::2],
        "aligned": torch.randn(16, 16),
        'näme with "quotes"': torch.ones(2),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "conjugate": torch.randn(3, dtype=torch.complex64).conj(),
    }


def test_the_library_reads_what_we_write(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, tensors)
    theirs = safetensors.torch.load_file(path)
    assert theirs.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert_same(theirs[name], tensor.detach().resolve_conj())
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}  # transformers refuses a file without it


def test_we_read_what_the_library_writes(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file({name: t.contiguous().resolve_conj() for name, t in tensors.items()}, path)
    entries = read_safetensors(path, "label")
    assert entries.keys() == tensors.keys()
    for name, tensor in tensors.items():
        entry = entries[name]
        assert (entry.name, entry.dtype, entry.shape) == (name, tensor.dtype, tuple(tensor.shape))
        assert_same(entry.load(), tensor.detach().resolve_conj())


def test_large_tensors_are_aligned_to_cache_lines(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x", {"odd": torch.ones(3), "byte": torch.ones(5).bool(), "a": torch.ones(64, 3)})
    entries = read_safetensors(tmp_path / "x", "x")
    assert entries["a"].start % 64 == 0
    assert entries["a"].load().data_ptr() % 64 == 0


def test_writing_to_a_mapped_tensor_leaves_the_file_and_later_readers_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"a": torch.zeros(4096), "b": torch.ones(4096)})
    before = path.read_bytes()
    entries = read_safetensors(path, "x")
    first = entries["a"].load()
    first.add_(1)
    again = entries["a"].load()
    assert again.sum() == 0  # the file's values, not what the other holder made of them
    again.add_(5)
    assert first.sum() == 4096
    assert entries["b"].load().sum() == 4096
    assert path.read_bytes() == before


def test_a_mapped_tensor_has_a_storage_of_its_own_size(tmp_path: Path) -> None:
    # else torch.save and deepcopy of one parameter would write and copy the whole file
    write_safetensors(tmp_path / "x", {"a": torch.zeros(1000), "b": torch.ones(10)})
    assert read_safetensors(tmp_path / "x", "x")["b"].load().untyped_storage().nbytes() == 40


def test_unaligned_data_is_copied(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * (-(8 + len(header)) % 4 + 1)  # files of early versions start their data anywhere
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1.5, -2))
    tensor = read_safetensors(tmp_path / "x", "x")["a"].load()
    assert tensor.tolist() == [1.5, -2]
    assert tensor.data_ptr() % 4 == 0


def test_a_copy_converts_in_pieces_into_any_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfx_core.checkpoint.weight_file._PIECE", 100)
    values = torch.randn(37, 5)
    write_safetensors(tmp_path / "x", {"a": values, "s": torch.tensor(3.0), "e": torch.zeros(0, 2)})
    entries = read_safetensors(tmp_path / "x", "x")
    for target in (torch.empty(37, 5), torch.empty(37, 5, dtype=torch.bfloat16), torch.empty(5, 37).t(),
                   torch.empty(40, 9, dtype=torch.float64)[2:39, 3:8]):  # fmt: skip
        entries["a"].copy_into(target)
        assert torch.equal(target, values.to(target.dtype))
    scalar = torch.empty((), dtype=torch.float16)
    entries["s"].copy_into(scalar)
    assert scalar == 3
    entries["e"].copy_into(torch.empty(0, 2, dtype=torch.float16))
    with pytest.raises(ValueError, match=r"shape \(37, 5\), the target \(5, 37\)"):
        entries["a"].copy_into(torch.empty(5, 37))
    assert entries["a"].same_values(entries["a"])
    write_safetensors(tmp_path / "y", {"a": values, "b": values + 0.5})
    others = read_safetensors(tmp_path / "y", "y")
    assert entries["a"].same_values(others["a"])
    assert not entries["a"].same_values(others["b"])
    assert not entries["a"].same_values(entries["e"])


def test_a_file_that_is_replaced_stays_what_it_was_for_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_safetensors(path, {"a": torch.zeros(4)})
    entries = read_safetensors(path, "x")
    write_safetensors(tmp_path / "y", {"a": torch.ones(4)})
    (tmp_path / "y").replace(path)
    target = torch.empty(4)
    entries["a"].copy_into(target)
    assert target.sum() == entries["a"].load().sum() == 0


def test_a_file_cut_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_safetensors(path, {"a": torch.zeros(40000)})
    entries = read_safetensors(path, "folder/x")
    with path.open("r+b") as file:
        file.truncate(200)
    with pytest.raises(CheckpointError, match="folder/x: became shorter"):
        entries["a"].load()
    with pytest.raises(CheckpointError, match="folder/x: became shorter"):
        entries["a"].copy_into(torch.empty(40000))


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [(torch.zeros(2, device="meta"), "without values"), (torch.eye(2).to_sparse(), "sparse"),
     (torch.zeros(2, dtype=torch.complex128), "complex128")],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused_before_anything_is_written(tmp_path: Path, tensor: Tensor, kind: str) -> None:
    with pytest.raises(CheckpointError, match=f"x.weight: a tensor .*{kind}"):
        write_safetensors(tmp_path / "x", {"x.weight": tensor})
    assert not (tmp_path / "x").exists()


def test_a_file_that_someone_may_have_mapped_is_never_written_over(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x", {"a": torch.ones(1)})
    with pytest.raises(FileExistsError):
        write_safetensors(tmp_path / "x", {"a": torch.zeros(1)})
    assert read_safetensors(tmp_path / "x", "x")["a"].load() == 1


def build(header: Any, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape: Any = (2,), offsets: Any = (0, 8), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are no safetensors file"),
        (b"\x01\x02", "2 bytes are no safetensors file"),
        (b"PK\x03\x04" + b"\0" * 200, "cut short or no safetensors file"),
        (build({"a": entry()}, b"\0" * 8, length=10**6), "announce a header of 1000000 bytes in a file of"),
        (build({"a": entry()}, b"\0" * 8, length=2**64 - 1), "announce a header of 18446744073709551615 bytes"),
        (build({"a": entry()}, b"\0" * 7), "the header describes"),
        (build({"a": entry()}, b"\0" * 9), "the header describes"),
        (build(b'{"a": \xff}', b""), "header: byte 6 is not UTF-8"),
        (build(b'{"a": ', b""), "header: line 1, column 7"),
        (build([1], b""), "header: holds a JSON list"),
        (build({"a": entry(), "b": entry(offsets=(4, 12))}, b"\0" * 12), "'b': its data_offsets overlaps"),
        (build({"a": entry(), "b": entry(offsets=(12, 20))}, b"\0" * 20), "'b': its data_offsets leaves a gap"),
        (build({"a": entry(offsets=(8, 0))}, b"\0" * 8), r"'a': data_offsets \[8, 0\]"),
        (build({"a": entry(offsets=(-8, 0))}, b"\0" * 8), "'a': data_offsets"),
        (build({"a": entry(offsets=(0, 8.0))}, b"\0" * 8), "'a': data_offsets"),
        (build({"a": entry(offsets=(0, True))}, b"\0" * 8), "'a': data_offsets"),
        (build({"a": entry(offsets=(0,))}, b"\0" * 8), "'a': data_offsets"),
        (build({"a": entry(offsets=(0, 2**70))}, b"\0" * 8), "'a': data_offsets"),
        (build({"a": entry(shape=(3,))}, b"\0" * 8), r"'a': F32 of shape \[3\] takes 12 bytes"),
        (build({"a": entry(shape=(-2,))}, b"\0" * 8), "'a': shape"),
        (build({"a": entry(shape="2")}, b"\0" * 8), "'a': shape"),
        (build({"a": entry(shape=(2**40, 2**40))}, b"\0" * 8), "'a': shape"),
        (build({"a": entry(shape=(0, 2**62, 2**62), offsets=(0, 0))}, b""), "'a': shape"),
        (build({"a": entry(dtype="F4")}, b"\0" * 8), "'a': dtype 'F4' is not one that torch reads; BOOL"),
        (build({"a": entry(dtype=["F32"])}, b"\0" * 8), "'a': dtype"),
        (build({"a": {"dtype": "F32", "shape": [2]}}, b"\0" * 8), "'a': the header must give"),
        (build({"__metadata__": {"format": 1}}, b""), "__metadata__ is not an object of strings"),
        (build({"a": 3}, b"\0" * 8), "'a': the header must give"),
        # what costs more than the file is worth, or could be read in two ways
        (build({"a": entry(shape=(1,) * 65)}, b"\0" * 8), r"'a': shape \[1, 1, 1, 1, …\] is not a list of sizes"),
        (build({"a": entry(dtype=[[[[["F32"] * 9] * 9] * 9] * 9] * 9)}, b"\0" * 8), "'a': dtype"),
        (build({"a\n\x1b[2J": entry(dtype="F4")}, b"\0" * 8), r"'a\\n\\x1b\[2J': dtype"),
        (build(b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), b"\0" * 8), "has the key 'a' twice"),
        (build({"\ud800": entry()}, b"\0" * 8), "header: holds half of a surrogate pair"),
    ],
)
def test_damage_is_an_error_that_names_file_and_tensor(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_safetensors(path, "folder/model.safetensors")
    assert str(caught.value).startswith("folder/model.safetensors")


def accepted(path: Path) -> dict[str, tuple[torch.dtype, tuple[int, ...], bytes]] | None:
    """What our reader makes of a file, ``None`` if it refuses it."""
    try:
        entries = read_safetensors(path, "x")
    except CheckpointError:
        return None
    return {name: (entry.dtype, entry.shape, raw(entry.load())) for name, entry in entries.items()}


def accepted_by_library(path: Path) -> dict[str, tuple[torch.dtype, tuple[int, ...], bytes]] | None:
    try:
        with safetensors.safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
    except (safetensors.SafetensorError, RuntimeError, TypeError):
        return None
    return {name: (tensor.dtype, tuple(tensor.shape), raw(tensor)) for name, tensor in tensors.items()}


GOOD = build({"a": entry(), "__metadata__": {"format": "pt"}, "b": entry((3,), (8, 11), "U8")}, bytes(range(11)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.integers(0, 12))
@example(at=0, byte=GOOD[0], cut=0)
def test_a_mutated_file_is_refused_or_read_as_the_library_does(tmp_path: Path, at: int, byte: int, cut: int) -> None:
    path = tmp_path / "x"
    path.write_bytes((GOOD[:at] + bytes([byte]) + GOOD[at + 1 :])[: len(GOOD) - cut])
    ours = accepted(path)
    assert ours == accepted_by_library(path)
    assert ours is not None or path.read_bytes() != GOOD


SIZES = st.one_of(st.integers(-1, 5), st.sampled_from([2**31, 2**62, 2**63, 2**64]), st.booleans(), st.floats())
HEADERS = st.dictionaries(
    st.sampled_from(["a", "b", "__metadata__"]),
    st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(["U8", "F32", "BOOL", "f32", "F4"]),
            "shape": st.lists(SIZES, max_size=3),
            "data_offsets": st.lists(SIZES, max_size=3),
        }
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=st.one_of(HEADERS, st.binary(max_size=40)), data=st.binary(max_size=24))
def test_any_header_is_refused_or_read_as_the_library_does(
    tmp_path: Path, header: dict[str, Any] | bytes, data: bytes
) -> None:
    path = tmp_path / "x"
    path.write_bytes(build(header, data))
    assert accepted(path) == accepted_by_library(path)
