"""``pytorch_model.bin``: what ``torch.save`` writes, since 1.6 a zip archive, before that pickles followed by data.

Only tensors are understood, and they are mapped, not unpickled: `tfx_core.checkpoint.pickle_data` reads their
description, and this module knows the few names that such a description uses.
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tfx_core.checkpoint.archive import RECORD_SIGNATURE, Place, read_archive
from tfx_core.checkpoint.pickle_data import Global, UnsafePickleError, dictionary, read_pickle_data
from tfx_core.checkpoint.weight_file import TensorEntry, WeightFile, are_sizes, contiguous_stride, is_shape, is_size
from tfx_core.errors import CheckpointError, cleaned, shown

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
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *_STORAGES.values(), torch.uint16, torch.uint32, torch.uint64,
        torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz,
    )
}  # fmt: skip
_LARGEST_DESCRIPTION = 25_000_000  # bytes of pickles
_MOST_TENSORS = 100_000
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_SHORT = 100  # instructions; the pickles before and behind the tensors' have a few dozen


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


_MOST_VIEWS = 16
"""How many times the size of its file all tensors may take; several may share bytes, or have some repeated."""
_SMALL_VIEWS = 1 << 20
"""Bytes that they may take whatever the file's size."""


def read_torch_file(path: Path, label: str) -> dict[str, TensorEntry]:
    """The tensors of a file by name; raises `CheckpointError`, and executes nothing, whatever the file asks for.

    The checksums of an archive are held against all of its bytes, which reads the file once, at gigabytes a second, and
    keeps nothing of it; only those are not that torch left out (``set_crc32_options(False)``). The older format, and
    safetensors, have no checksums.
    """
    file = WeightFile(path, label)
    try:
        is_zip = bytes(file.read(0, min(4, file.size))) == RECORD_SIGNATURE
        views, places = _read_zip(file) if is_zip else _read_legacy(file)
        entries = {name: _entry(name, view, file, places) for name, view in views.items()}
        taken = sum(entry.memory for entry in entries.values())
        if taken > max(_MOST_VIEWS * file.size, _SMALL_VIEWS):
            raise ValueError(f"its tensors repeat what it holds until they take {taken} bytes of its {file.size}")
        return entries
    except UnsafePickleError as error:
        raise CheckpointError(
            f"{label}: {error}; only tensors are read, and nothing of this file was executed; ask its author for "
            "safetensors"
        ) from error
    except CheckpointError:
        raise
    except (ValueError, zipfile.BadZipFile, NotImplementedError, OverflowError, struct.error) as error:
        reason = cleaned(str(error), 300)
        raise CheckpointError(f"{label}: is no file of tensors: {reason}; download or save it again") from error


def _read_zip(file: WeightFile) -> tuple[dict[str, _View], dict[str, Place]]:
    """The tensors of an archive, and the place of each storage by its key."""
    places = read_archive(file.stream)
    if "constants.pkl" in places:
        raise ValueError("it is a TorchScript program")
    if "byteorder" in places and file.read(*places["byteorder"]) != b"little":
        raise ValueError("it was written on a big-endian machine")
    start, count = places["data.pkl"]
    if count > _LARGEST_DESCRIPTION:
        raise ValueError(f"data.pkl has {count} bytes, of which {_LARGEST_DESCRIPTION} are read at most")
    views = _views(read_pickle_data(io.BytesIO(file.read(start, count)), _call, _storage))
    return views, {name.removeprefix("data/"): place for name, place in places.items() if name.startswith("data/")}


def _read_legacy(file: WeightFile) -> tuple[dict[str, _View], dict[str, Place]]:
    """As `_read_zip` for the format before torch 1.6: five pickles, then the length and bytes of each storage."""
    stream = io.BytesIO(file.read(0, min(file.size, _LARGEST_DESCRIPTION)))
    if read_pickle_data(stream, _call, _storage, most=_SHORT) != _LEGACY_MAGIC:
        raise ValueError("it does not begin as torch.save does")
    if read_pickle_data(stream, _call, _storage, most=_SHORT) != _LEGACY_PROTOCOL:
        raise ValueError("it has an unknown protocol number")
    system = read_pickle_data(stream, _call, _storage, most=_SHORT)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("it was written on a big-endian machine")
    storages: dict[str, _Storage] = {}

    def remember(identity: object) -> _Storage:
        storage = _storage(identity)
        storages[storage.key] = storage
        return storage

    views = _views(read_pickle_data(stream, _call, remember))
    keys = read_pickle_data(stream, _call, _storage, most=_SHORT + 3 * len(storages))
    places: dict[str, Place] = {}
    at = stream.tell()
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or key not in storages or key in places or at + 8 > file.size:
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
        raise ValueError(f"it has a storage of the unknown type {_named(kind)}")
    if not isinstance(key, str) or not is_size(size):
        raise ValueError("it has a storage without name or size")
    skipped = view[0][1] if view and view[0] is not None else 0
    if not is_size(skipped):
        raise ValueError("it has a view of a storage without a place")
    return _Storage(key, _STORAGES[kind.name], size, skipped)


def _call(function: Global, arguments: tuple[Any, ...]) -> object:
    """The calls that descriptions of tensors are made of; raises `UnsafePickleError` for any other."""
    match function:
        case ("collections", "OrderedDict"):
            pairs = arguments[0] if arguments else []
            if type(pairs) is not list:
                raise TypeError("it makes a dict of something that is no list")
            return dictionary([part for key, value in pairs for part in (key, value)])
        case ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2"):
            storage, offset, shape, stride = arguments[:4]
            return _view(storage, None, offset, shape, stride)
        case ("torch._utils", "_rebuild_tensor_v3"):
            storage, offset, shape, stride, _, _, dtype = arguments[:7]
            return _view(storage, dtype, offset, shape, stride)
        case ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"):
            return arguments[0]
        case ("torch._tensor", "_rebuild_from_type_v2"):  # a tensor with attributes, which are left out
            inner, _, parts = arguments[:3]
            if isinstance(inner, Global) and inner.module == "torch._utils" and isinstance(parts, tuple):
                return _call(inner, parts)
            raise TypeError("it has a tensor made of something else")
        case ("torch", "Size"):
            if isinstance(arguments[0], tuple):
                return arguments[0]
            raise TypeError("it has a size that is no tuple")
    raise UnsafePickleError(f"asks to call {_named(function)}")


def _named(value: object) -> str:
    """What a pickle calls by name, for a message."""
    return shown(str(value) if isinstance(value, Global) else value)


def _view(storage: object, kind: object, *place: Any) -> _View:
    """A view of elements of the type that a pickle names, by default that of the storage."""
    if not isinstance(storage, _Storage):
        raise TypeError("it has a tensor without storage")
    return _View(storage, storage.dtype if kind is None else _dtype(kind), *place)


def _dtype(value: object) -> torch.dtype:
    dtype = _DTYPES.get(value.name) if isinstance(value, Global) and value.module == "torch" else None
    if dtype is None:
        raise ValueError(f"it has a tensor of the unknown type {_named(value)}")
    return dtype


def _views(value: object) -> dict[str, _View]:
    """The pickle's value, if it is a flat dict of named tensors."""
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__}, where a dict of named tensors is expected")
    if len(value) > _MOST_TENSORS:
        raise ValueError(f"it holds {len(value)} tensors, of which {_MOST_TENSORS} are read at most")
    for name, view in value.items():
        if not isinstance(name, str) or not isinstance(view, _View):
            kind = type(view).__name__
            raise ValueError(f"{shown(name)} is a {kind}, where a dict of named tensors is expected; save those alone")
    return value


def _entry(name: str, view: _View, file: WeightFile, places: Mapping[str, Place]) -> TensorEntry:
    """Where a tensor lies in the file, checked against the bytes that are there."""
    shape, stride, storage = view.shape, view.stride, view.storage
    if not is_shape(shape) or not are_sizes(stride) or len(shape) != len(stride) or not is_size(view.offset):
        raise ValueError(f"{shown(name)} has no usable shape")
    if storage.key not in places:
        raise ValueError(f"the data of {shown(name)}, storage {shown(storage.key)}, is missing")
    begin, count = places[storage.key]
    start = begin + storage.skipped * storage.dtype.itemsize + view.offset * view.dtype.itemsize
    # the stride of a dimension with one element is whatever it was before slicing
    usual = contiguous_stride(shape)
    stride = tuple(own if size > 1 else step for size, own, step in zip(shape, stride, usual, strict=True))
    entry = TensorEntry(name, shape, view.dtype, file, start, stride)
    if start + entry.nbytes > begin + count:
        raise ValueError(f"{shown(name)} reaches beyond its data, storage {shown(storage.key)} of {count} bytes")
    return entry
