"""Files by hand that cost much more than they are worth, or can be read in two ways: each must be refused.

``ATTACKS`` gives of each the reader, and what turns its good folder into the attack.
"""

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

Attack = Callable[[Path], None]


def _replace(name: str, content: object) -> Attack:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda folder: _write(folder / name, data)


def _write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


# descriptions of tensors, as pickles


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


_LONG = b"I" + b"9" * 4000 + b"\n"
_FLOATS = b"ctorch\nFloatStorage\n"
_REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
_CALL = b"h\x00h\x01R"
"""The call of what is remembered first, with the arguments remembered second."""


def _many(item: bytes, count: int) -> bytes:
    return b"(" + item * count + b"t"


def _remembered(value: bytes, count: int) -> bytes:
    return b"(" + value + b"q\x00" + b"h\x00" * count + b"t"


def _tensor(
    storage: bytes = _FLOATS,
    shape: bytes = b"K\x04\x85",
    stride: bytes = b"K\x01\x85",
    size: bytes = b"K\x04",
    kind: bytes = b"",
) -> bytes:
    """A tensor of the four numbers that the file has."""
    identity = b"(" + _text("storage") + storage + _text("0") + _text("cpu") + size + b"tQ"
    call = _REBUILD.replace(b"_v2", b"_v3") if kind else _REBUILD
    return call + b"(" + identity + b"K\x00" + shape + stride + b"\x89N" + kind + b"tR"


def _of(tensor: bytes, name: str = "a", before: bytes = b"") -> bytes:
    return b"\x80\x02" + before + b"}" + _text(name) + tensor + b"s."


_LAUGHS = b"".join(
    [
        b"]q\x00",
        *(
            b"(" + b"h" + bytes([level]) + (b"h" + bytes([level])) * 9 + b"tq" + bytes([level + 1])
            for level in range(90)
        ),
    ]
)
"""Remembered as number 90: a tuple of ten times the tuple before, which has 10^90 parts when it is spelled out."""
_LAUGH = b"h\x5a"


def _views(count: int) -> bytes:
    """As many tensors of one storage, in a dozen bytes each."""
    arguments = _tensor()[len(_REBUILD) : -1]
    begin = b"\x80\x02" + _REBUILD + b"q\x00" + arguments + b"q\x01"
    return begin + b"}(" + b"".join(_text(str(number)) + _CALL for number in range(count)) + b"u."


def _called(name: bytes, arguments: bytes, times: int) -> bytes:
    return b"\x80\x02(" + name + b"q\x00" + arguments + b"q\x01" + _CALL * times + b"t."


_PAIRS = b"](" + b"".join(_text(str(number)) + b"N\x86" for number in range(50_000)) + b"e\x85"
_LONG_PAIRS = b"](" + _many(b"K\x01", 500_000) + b"q\x02" + b"h\x02" * 1000 + b"e\x85"
_ONE_HASH = [number * (2**61 - 1) for number in range(1, 150_000)]

_DESCRIPTIONS: dict[str, bytes] = {
    "laughs as a storage type": _of(_tensor(storage=_LAUGH), before=_LAUGHS),
    "laughs as a dtype": _of(_tensor(kind=_LAUGH), before=_LAUGHS),
    "laughs as a size": _of(_tensor(shape=_LAUGH + b"\x85"), before=_LAUGHS),
    "laughs as a key": b"\x80\x02" + _LAUGHS + b"}" + _LAUGH + b"K\x01s.",
    "laughs as a tensor": b"\x80\x02" + _LAUGHS + b"}" + _text("a") + _LAUGH + b"s.",
    "laughs as what is called": b"\x80\x02" + _LAUGHS + _LAUGH + b")R.",
    "a shape of a million sizes": _of(_tensor(shape=_many(b"K\x01", 900_000))),
    "a stride of a million steps": _of(_tensor(stride=_many(b"K\x01", 900_000))),
    "a shape of numbers of 4,000 digits": _of(_tensor(shape=_remembered(_LONG, 900_000))),
    "a stride of numbers of 4,000 digits": _of(_tensor(shape=_many(b"K\x01", 60), stride=_remembered(_LONG, 59))),
    "a storage of a size of 4,000 digits": _of(_tensor(size=_LONG)),
    "a size copied 3,000 times": _called(b"ctorch\nSize\n", b"(" + b"K\x01" * 300_000 + b"l\x85", 3000),
    "a dict copied 3,000 times": _called(b"ccollections\nOrderedDict\n", _PAIRS, 3000),
    "a dict of long pairs": _called(b"ccollections\nOrderedDict\n", _LONG_PAIRS, 1),
    "a dict copied behind a tensor with attributes": _called(
        b"ctorch._tensor\n_rebuild_from_type_v2\n", b"(ccollections\nOrderedDict\nN" + _PAIRS + b"Nt", 3000
    ),
    "arguments without end": _called(b"ctorch\nSize\n", _many(b"K\x01", 400_000), 100_000),
    "twelve million lists": b"\x80\x02(" + b"]" * 12_000_000 + b"t.",
    "keys of one hash": b"\x80\x02}("
    + b"".join(b"\x8a\x0b%sN" % key.to_bytes(11, "little") for key in _ONE_HASH)
    + b"u.",
    "places of one hash": b"\x80\x02]" + b"".join(b"p%d\n" % key for key in _ONE_HASH) + b".",
    "one number seen a billion times": _of(_tensor(shape=b"J\xff\xff\xff\x1d\x85", stride=b"K\x00\x85")),
    "rows that overlap": _of(_tensor(shape=b"J\x00\x00\x10\x00J\x00\x00\x10\x00\x86", stride=b"K\x00K\x00\x86")),
    "two hundred thousand views": _views(200_000),
    "twenty thousand views": _views(20_000).replace(b"K\x04\x85K\x01\x85", b"M\x00\x10\x85K\x00\x85"),
    "a name of 20 MB": _of(_tensor(shape=b"K\x05\x85"), name="a" * 20_000_000 + "\U0001f600"),
    "what torch would import": _of(_tensor(kind=b"ctorch\n_inductor\n")),
    "a tensor of a tensor": _of(_REBUILD + b"(" + _tensor() + b"K\x00K\x04\x85K\x01\x85\x89NtR"),
}


def _archive(description: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", description)
        archive.writestr("archive/data/0", bytes(16))
    return buffer.getvalue()


def _legacy(description: bytes) -> bytes:
    parts = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
    begin = b"".join(pickle.dumps(part, protocol=2) for part in parts)
    return begin + description + pickle.dumps(["0"], protocol=2) + (4).to_bytes(8, "little") + bytes(16)


def _listed(times: int) -> bytes:
    """An archive whose directory lists one record so many times more."""
    data = _archive(b"}.")
    end, last = data.index(b"PK\x05\x06"), data.rindex(b"PK\x01\x02")
    directory = data[data.index(b"PK\x01\x02") : end] + data[last:end] * times
    size = len(directory).to_bytes(4, "little")
    return data[: data.index(b"PK\x01\x02")] + directory + data[end : end + 12] + size + data[end + 16 :]


# headers


def _header(shape: str = "[2]", offsets: str = "[0,8]", dtype: str = '"F32"', name: str = "a") -> bytes:
    return f'{{"{name}":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}}}}}'.encode()


_HEADERS: dict[str, bytes] = {
    "a shape of half a million sizes": _header(f"[{'1,' * 550_000}2]"),
    "a shape of three million sizes": _header(f"[{'1,' * 3_000_000}2]"),
    "a shape of numbers of 4,000 digits": _header(f"[{','.join(['9' * 4000] * 600)}]"),
    "offsets of 4,000 digits": _header(offsets=f"[0,{'9' * 4000}]"),
    "a deep dtype": _header(dtype="[" * 900 + "]" * 900),
    "three million lists": _header(f"[{'[],' * 3_000_000}2]"),
    "a name twice": _header()[:-1] + b"," + _header()[1:],
    "a name of 20 MB": _header(name="a" * 20_000_000 + "\U0001f600", dtype='"F4"'),
    "65 dimensions": _header(f"[{'1,' * 64}2]"),
}


def _array(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(640)


_ARRAYS = {
    "is cut short": "{'descr': '<f4', 'fortran_order': False, 'shape': (20, 8",
    "is no literal": "{'descr': '<f4', 'fortran_order': False, 'shape': (20L, 8L), }'''",
    "has objects": "{'descr': 'O', 'fortran_order': False, 'shape': (20, 8)}",
    "has large items": "{'descr': 'V2147483647', 'fortran_order': False, 'shape': (20, 8)}",
    "has a number of 4,000 digits": "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 4000 + ",)}",
    "is deep": "(" * 9000,
}


# what stands in a file's place


def _instead(name: str, target: str | None) -> Attack:
    def attack(folder: Path) -> None:
        (folder / name).unlink()
        if target is None:
            os.mkfifo(folder / name)
        else:
            (folder / name).symlink_to(target)

    return attack


_MODULES = [
    {"type": f"sentence_transformers.models.{kind}", "path": path}
    for kind, path in (("Transformer", ""), ("Pooling", "1_Pooling"), *[("Dense", "2_Dense")] * 100_000)
]
_SENTENCE = "sentence-transformers"
_DENSE = "2_Dense/config.json"
_INDEX = "model.safetensors.index.json"

ATTACKS: dict[str, tuple[str, Attack]] = {
    "archive that lists a record twice": ("torch archive", _replace("pytorch_model.bin", _listed(1))),
    "archive that lists a record 60,000 times": ("torch archive", _replace("pytorch_model.bin", _listed(60_000))),
    "archive with a directory of 18 MB": ("torch archive", _replace("pytorch_model.bin", _listed(300_000))),
    "shard with a long name": ("safetensors in shards", _replace(_INDEX, {"weight_map": {"a": "x" * 300}})),
    "shards without end": (
        "safetensors in shards",
        _replace(_INDEX, {"weight_map": {str(number): str(number) for number in range(250_000)}}),
    ),
    "dense layer of 64 GB": (_SENTENCE, _replace(_DENSE, {"in_features": 5, "out_features": 3_200_000_000})),
    "dense layer beyond counting": (_SENTENCE, _replace(_DENSE, {"in_features": 10**20, "out_features": 10**20})),
    "norm of 64 GB": (_SENTENCE, _replace("3_LayerNorm/config.json", {"dimension": 2**34})),
    "a hundred thousand poolings": (_SENTENCE, _replace("1_Pooling/config.json", {"pooling_mode": ["mean"] * 100_000})),
    "a hundred thousand steps": (_SENTENCE, _replace("modules.json", _MODULES)),
}
for _name, _data in _DESCRIPTIONS.items():
    ATTACKS[f"archive with {_name}"] = ("torch archive", _replace("pytorch_model.bin", _archive(_data)))
    ATTACKS[f"legacy file with {_name}"] = ("torch legacy", _replace("pytorch_model.bin", _legacy(_data)))
for _name, _data in _HEADERS.items():
    _file = len(_data).to_bytes(8, "little") + _data + bytes(8)
    ATTACKS[f"header with {_name}"] = ("safetensors", _replace("model.safetensors", _file))
for _reader, _name in (("safetensors", "model.safetensors"), (_SENTENCE, "modules.json"), (_SENTENCE, _DENSE)):
    for _kind, _target in (("a device", "/dev/zero"), ("a pipe", None), ("a folder", "/")):
        ATTACKS[f"{_kind} as {_name}"] = (_reader, _instead(_name, _target))
if find_spec("tfx_retrieval") is not None:
    for _name, _text_of in _ARRAYS.items():
        ATTACKS[f"array whose header {_name}"] = ("index, sealed again", _replace("vectors.npy", _array(_text_of)))
