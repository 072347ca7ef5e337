"""``pytorch_model.bin``: what ``torch.save`` writes, since 1.6 a zip archive, before that pickles followed by data.

Only tensors are understood, and they are mapped, not unpickled: `tfx_core.checkpoint.pickle_data` reads their
description, and this module knows the few names that such a description uses.
"""

import io
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import torch

from tfx_core.checkpoint.pickle_data import Global, UnsafePickleError, dictionary, read_pickle_data
from tfx_core.checkpoint.weight_file import TensorEntry, WeightFile, contiguous_stride
from tfx_core.errors import CheckpointError

_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,
}
_STORAGE_HOMES = ("torch", "torch.cuda", "torch.storage")
_RECORD_SIGNATURE = b"PK\x03\x04"
_RECORD_HEADER = struct.Struct("<4s22xHH")
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001


@dataclass
class _Storage:
    """A run of elements that tensors are views of."""

    key: str
    dtype: torch.dtype
    size: int
    """Elements, all that the file has under this key."""

    skipped: int = 0
    """Elements before the first that its views count from; more than 0 in files of torch before 0.4 alone."""


@dataclass
class _View:
    """A tensor as the pickle describes it."""

    storage: _Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


_Place = tuple[int, int]
"""Where bytes lie in the file: start and count."""


def read_torch_file(path: Path, label: str) -> dict[str, TensorEntry]:
    """The tensors of a file by name; raises `CheckpointError`, and executes nothing, whatever the file asks for."""
    file = WeightFile(path, label)
    try:
        is_zip = bytes(file.read(0, min(4, file.size))) == _RECORD_SIGNATURE
        views, places = _read_zip(file) if is_zip else _read_legacy(file)
        return {name: _entry(name, view, file, places) for name, view in views.items()}
    except UnsafePickleError as error:
        raise CheckpointError(
            f"{label}: {error}; only tensors are read, and nothing of this file was executed; ask its author for "
            "safetensors"
        ) from error
    except CheckpointError:
        raise
    except (ValueError, zipfile.BadZipFile, NotImplementedError, OverflowError, struct.error) as error:
        raise CheckpointError(f"{label}: is no file of tensors: {error}; download or save it again") from error


def _read_zip(file: WeightFile) -> tuple[dict[str, _View], dict[str, _Place]]:
    """The tensors of an archive, and the place of each storage by its key."""
    with zipfile.ZipFile(file.stream) as archive:
        records = {info.filename: info for info in archive.infolist()}
    descriptions = [name for name in records if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(descriptions) != 1:
        raise ValueError("the archive has no data.pkl, so torch.save did not write it")
    root = descriptions[0].removesuffix("data.pkl")
    places = {name.removeprefix(root): _place(info, file) for name, info in records.items() if name.startswith(root)}
    if "constants.pkl" in places:
        raise ValueError("it is a TorchScript program")
    if "byteorder" in places and file.read(*places["byteorder"]) != b"little":
        raise ValueError("it was written on a big-endian machine")
    views = _views(read_pickle_data(io.BytesIO(file.read(*places["data.pkl"])), _call, _storage))
    return views, {name.removeprefix("data/"): place for name, place in places.items() if name.startswith("data/")}


def _place(info: zipfile.ZipInfo, file: WeightFile) -> _Place:
    """Where the bytes of a record lie."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.compress_size != info.file_size:
        raise ValueError(f"record {info.filename!r} is compressed or encrypted, which torch.save never does")
    if not 0 <= info.header_offset <= file.size - _RECORD_HEADER.size:
        raise ValueError(f"record {info.filename!r} lies beyond the end, the file is cut short")
    # the header in front of the bytes repeats the directory's, but with padding of a length of its own
    header = file.read(info.header_offset, _RECORD_HEADER.size)
    signature, name_length, padding = _RECORD_HEADER.unpack(header)
    start = info.header_offset + _RECORD_HEADER.size + name_length + padding
    if signature != _RECORD_SIGNATURE or start + info.file_size > file.size:
        raise ValueError(f"record {info.filename!r} is damaged or cut short")
    return start, info.file_size


def _read_legacy(file: WeightFile) -> tuple[dict[str, _View], dict[str, _Place]]:
    """As `_read_zip` for the format before torch 1.6: five pickles, then the length and bytes of each storage."""
    stream = file.stream
    stream.seek(0)
    if read_pickle_data(stream, _call, _storage) != _LEGACY_MAGIC:
        raise ValueError("it does not begin as torch.save does")
    if read_pickle_data(stream, _call, _storage) != _LEGACY_PROTOCOL:
        raise ValueError("it has an unknown protocol number")
    system = read_pickle_data(stream, _call, _storage)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("it was written on a big-endian machine")
    storages: dict[str, _Storage] = {}

    def remember(identity: object) -> _Storage:
        storage = _storage(identity)
        storages[storage.key] = storage
        return storage

    views = _views(read_pickle_data(stream, _call, remember))
    keys = read_pickle_data(stream, _call, _storage)
    places: dict[str, _Place] = {}
    at = stream.tell()
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or key not in storages or at + 8 > file.size:
            raise ValueError("its list of storages does not fit its tensors")
        count = int.from_bytes(file.read(at, 8), "little") * storages[key].dtype.itemsize
        places[key] = (at + 8, count)
        at += 8 + count
    if at > file.size:
        raise ValueError(f"it should have {at} bytes and has {file.size}, it is cut short")
    return views, places


def _storage(identity: object) -> _Storage:
    """The storage that a persistent id names: ("storage", type, key, device, elements[, view of the key's storage])."""
    if isinstance(identity, tuple) and identity and identity[0] == "module":
        raise UnsafePickleError("holds a whole pickled model, not only its tensors")
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise ValueError("it refers to something that is no storage")
    _, kind, key, _, size, *view = identity
    if not isinstance(kind, Global) or kind.module not in _STORAGE_HOMES or kind.name not in _STORAGES:
        raise ValueError(f"it has a storage of the unknown type {kind!s:.80}")
    if not isinstance(key, str) or not _is_size(size):
        raise ValueError("it has a storage without name or size")
    skipped = view[0][1] if view and view[0] is not None else 0
    if not _is_size(skipped):
        raise ValueError("it has a view of a storage without a place")
    return _Storage(key, _STORAGES[kind.name], size, skipped)


def _call(function: Global, arguments: tuple[Any, ...]) -> object:
    """The calls that descriptions of tensors are made of; raises `UnsafePickleError` for any other."""
    match function:
        case ("collections", "OrderedDict"):
            return dictionary([part for pair in arguments[0] for part in pair] if arguments else [])
        case ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"):
            storage, offset, shape, stride = arguments[:4]
            return _View(storage, storage.dtype, offset, shape, stride)
        case ("torch._utils", "_rebuild_tensor_v3"):
            storage, offset, shape, stride, _, _, dtype = arguments[:7]
            return _View(storage, _dtype(dtype), offset, shape, stride)
        case ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"):
            return arguments[0]
        case ("torch._tensor", "_rebuild_from_type_v2"):  # a tensor with attributes, which are left out
            return _call(arguments[0], arguments[2])
        case ("torch", "Size"):
            return tuple(arguments[0])
    raise UnsafePickleError(f"asks to call {str(function)[:80]!r}")


def _dtype(value: object) -> torch.dtype:
    dtype = getattr(torch, value.name, None) if isinstance(value, Global) and value.module == "torch" else None
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"it has a tensor of the unknown type {value!s:.80}")
    return dtype


def _views(value: object) -> dict[str, _View]:
    """The pickle's value, if it is a flat dict of named tensors."""
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__}, where a dict of named tensors is expected")
    for name, view in value.items():
        if not isinstance(name, str) or not isinstance(view, _View):
            kind = type(view).__name__
            raise ValueError(f"{name!r} is a {kind}, where a dict of named tensors is expected; save those alone")
    return value


def _entry(name: str, view: _View, file: WeightFile, places: Mapping[str, _Place]) -> TensorEntry:
    """Where a tensor lies in the file, checked against the bytes that are there."""
    shape, stride, storage = view.shape, view.stride, view.storage
    if not _are_sizes(shape) or not _are_sizes(stride) or len(shape) != len(stride) or not _is_size(view.offset):
        raise ValueError(f"{name!r} has no usable shape")
    if storage.key not in places:
        raise ValueError(f"the data of {name!r}, storage {storage.key!r}, is missing")
    begin, count = places[storage.key]
    start = begin + storage.skipped * storage.dtype.itemsize + view.offset * view.dtype.itemsize
    # the stride of a dimension with one element is whatever it was before slicing
    usual = contiguous_stride(shape)
    stride = tuple(own if size > 1 else step for size, own, step in zip(shape, stride, usual, strict=True))
    entry = TensorEntry(name, shape, view.dtype, file, start, stride)
    if start + entry.nbytes > begin + count:
        raise ValueError(f"{name!r} reaches beyond its data, storage {storage.key!r} of {count} bytes")
    return entry


def _is_size(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**63


def _are_sizes(value: object) -> TypeGuard[tuple[int, ...]]:
    if not isinstance(value, tuple) or not all(_is_size(size) for size in value):
        return False
    elements: int = math.prod(max(size, 1) for size in value)
    return elements < 2**63
