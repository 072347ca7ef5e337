"""The safetensors file format, read and written: a length, a JSON header, the tensors' bytes.

https://github.com/huggingface/safetensors#format. It is read here rather than by the library so that tensors are mapped
privately, one storage each, and so that an error names the tensor; it is written here so that a save streams.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tfx_core.checkpoint.folder import parse_json
from tfx_core.checkpoint.weight_file import TensorEntry, WeightFile, are_sizes, contiguous_stride, is_shape
from tfx_core.errors import CheckpointError, shown

_DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "U16": torch.uint16,
    "I16": torch.int16,
    "U32": torch.uint32,
    "I32": torch.int32,
    "U64": torch.uint64,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "C64": torch.complex64,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_LONGEST_HEADER = 25_000_000  # bytes; the format allows 100 million, which no file comes near
_ALIGNMENT = 64  # bytes; a cache line


def read_safetensors(path: Path, label: str) -> dict[str, TensorEntry]:
    """The tensors of a file by name; raises `CheckpointError` for a file that is not wholly as the format says."""
    file = WeightFile(path, label)
    if file.size < 8:
        raise CheckpointError(f"{label}: {file.size} bytes are no safetensors file; download or save it again")
    length = int.from_bytes(file.read(0, 8), "little")
    if length > min(file.size - 8, _LONGEST_HEADER):
        raise CheckpointError(
            f"{label}: its first 8 bytes announce a header of {length} bytes in a file of {file.size}; it is cut short "
            "or no safetensors file; download or save it again"
        )
    header = parse_json(bytes(file.read(8, length)), f"{label}, header")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"{label}: __metadata__ is not an object of strings; the file is damaged")
    begin = 8 + length
    entries = {name: _entry(name, value, file, begin) for name, value in header.items()}
    end = begin
    for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.nbytes)):
        if entry.start != end:
            fault = "overlaps the one before it" if entry.start < end else "leaves a gap before it"
            raise CheckpointError(f"{label}: {shown(entry.name)}: its data_offsets {fault}; the file is damaged")
        end += entry.nbytes
    if end != file.size:
        raise CheckpointError(
            f"{label}: the header describes {end} bytes, the file has {file.size}; it is cut short or damaged; "
            "download or save it again"
        )
    return entries


def write_safetensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors to a new file, one at a time; the caller puts it in place (see `tfx_core.checkpoint.replacing`).

    Multiples of a cache line come first, so that their mappings are aligned to it. Raises `CheckpointError` for a
    tensor that the format cannot hold, before anything is written.
    """
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES or tensor.layout != torch.strided or tensor.is_meta:
            kind = "without values" if tensor.is_meta else f"{tensor.layout} of {tensor.dtype}"
            raise CheckpointError(f"{name}: a tensor {kind} cannot be stored; dense {', '.join(_DTYPES)} can")
    order = sorted(tensors, key=lambda name: (tensors[name].nbytes % _ALIGNMENT != 0, -tensors[name].itemsize))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # transformers refuses a file without it
    end = 0
    for name in order:
        begin, end = end, end + tensors[name].nbytes
        shape = list(tensors[name].shape)
        header[name] = {"dtype": _NAMES[tensors[name].dtype], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    with path.open("xb") as file:  # to truncate a file would crash whoever has it mapped
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in order:
            tensor = tensors[name].detach().cpu().resolve_conj().resolve_neg().contiguous()
            file.write(tensor.reshape(-1).view(torch.uint8).numpy().data)


def _entry(name: str, value: object, file: WeightFile, begin: int) -> TensorEntry:
    """One entry of the header; the data starts at ``begin``."""
    where = f"{file.label}: {shown(name)}"
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{where}: the header must give dtype, shape and data_offsets; the file is damaged")
    dtype = _DTYPES.get(value["dtype"]) if isinstance(value["dtype"], str) else None
    if dtype is None:
        known = ", ".join(_DTYPES)
        raise CheckpointError(f"{where}: dtype {shown(value['dtype'])} is not one that torch reads; {known} are")
    shape, offsets = value["shape"], value["data_offsets"]
    if not is_shape(shape):
        raise CheckpointError(f"{where}: shape {shown(shape)} is not a list of sizes; the file is damaged")
    if not are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"{where}: data_offsets {shown(offsets)} are not [begin, end]; the file is damaged")
    entry = TensorEntry(name, tuple(shape), dtype, file, begin + offsets[0], contiguous_stride(tuple(shape)))
    if entry.nbytes != offsets[1] - offsets[0]:
        raise CheckpointError(
            f"{where}: {value['dtype']} of shape {shape} takes {entry.nbytes} bytes, data_offsets {offsets} give "
            f"{offsets[1] - offsets[0]}; the file is damaged"
        )
    return entry
