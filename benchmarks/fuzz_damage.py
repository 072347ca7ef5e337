"""Ways to damage a file: bytes, JSON, instructions of a pickle, records of an archive, headers of arrays.

Each is a function of the file's bytes and a source of chance; what it gives is another file. The damage that a reader
must notice, because the file then contradicts itself, is told apart.
"""

import io
import json
import pickletools
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

Damage = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Damaged:
    """A damaged file."""

    data: bytes
    how: str
    must_be_refused: bool = False


# bytes


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(len(data))]


def _splice(data: bytes, random: Random) -> bytes:
    at, start = random.randrange(len(data)), random.randrange(len(data))
    return data[:at] + data[start:]


def _repeat(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    piece = data[start : start + random.choice((1, 8, 64, 1000))]
    return data[:start] + piece * random.choice((2, 3, 50)) + data[start + len(piece) :]


def _remove(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    return data[:start] + data[start + random.choice((1, 4, 40)) :]


def _noise(data: bytes, random: Random) -> bytes:
    start = random.randrange(len(data))
    piece = random.choice(
        (b"\0" * 16, b"\xff" * 16, random.randbytes(16), b"\x1b[2J\n\r", b"\xed\xa0\x80", b"\xe2\x96\x81")
    )
    return data[:start] + piece + data[start + len(piece) :]


_EXTREMES = [*(2**bits - 1 for bits in (7, 8, 15, 16, 31, 32, 63, 64)), 2**31, 2**40, 2**62, 2**63, 0, 1]


def _length(data: bytes, random: Random) -> bytes:
    width = random.choice((2, 4, 8))
    start = random.choice((0, random.randrange(len(data))))
    value: int = random.choice(_EXTREMES) % (1 << 8 * width)
    return data[:start] + value.to_bytes(width, "little") + data[start + width :]


_BYTES: tuple[Damage, ...] = (_flip, _flip, _cut, _splice, _repeat, _remove, _noise, _length)


# JSON

_RAW = {f"@raw {number}@": text for number, text in enumerate((
    "9" * 4400, "[" * 3000 + "]" * 3000, "NaN", "Infinity", "-Infinity", "1e999", "\"\\ud800\"", "01", "[" * 100_000,
))}  # fmt: skip
_VALUES: tuple[object, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 0.5, -0.5, 1e308, 1e-320, 10**9, 2**31, 2**53, 2**63, 2**64, 10**30, 10**4000,
    "", "x", "x" * 1000, "0", "ß", "\x1b[2J", "../x", "/dev/zero", "bert", "flat", [], {}, [[]], [0], [-1], [1, 2, 3],
    ["a"] * 100, [10**4000], {"0": "a", "00": "b"}, {"a": {"b": 1}}, [None], [[[[["a"]]]]], *_RAW,
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a value with each of its keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in pairs for place in [(value, key), *_places(item)]]


def _json(data: bytes, random: Random) -> Damaged:
    value = json.loads(data)
    places = _places(value)
    if not places:
        return Damaged(_flip(data, random), "flip")
    holder, key = random.choice(places[:500] if random.random() < 0.5 else places)
    how = random.choice(("value", "value", "value", "value", "remove", "rename", "twice", "another"))
    if how == "value":
        holder[key] = random.choice(_VALUES)
    elif how == "remove":
        del holder[key]
    elif how == "another":
        holder[key] = random.choice(places)[0]
        holder[key] = json.loads(json.dumps(random.choice(_VALUES))) if holder[key] is holder else holder[key]
    elif isinstance(holder, dict) and how == "rename":
        holder[random.choice(("", "x", "\ud800", "a\nb\x1b[2J", "x" * 300, f"{key} "))] = holder.pop(key)
    elif isinstance(holder, dict) and how == "twice":
        holder["@twice@"] = random.choice((holder[key], random.choice(_VALUES)))
    try:
        text = json.dumps(value)
    except ValueError:  # it holds itself by now
        return Damaged(_flip(data, random), "flip")
    for name, raw in _RAW.items():
        text = text.replace(json.dumps(name), raw)
    twice = '"@twice@"' in text
    return Damaged(text.replace('"@twice@"', json.dumps(key)).encode(), f"JSON {how}", twice)


# the instructions of pickles

_INSTRUCTIONS = (
    b"]", b"}", b")", b"N", b"(", b"t", b"R", b"\x81", b"b", b"s", b"u", b"e", b"a", b"0", b"2", b"\x85", b"\x86",
    b"\x93", b"\x94", b"Q", b".", b"h\x00", b"h\x01", b"q\x00", b"K\x00", b"K\xff", b"\x88", b"\x89",
    b"J\xff\xff\xff\xff", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"I" + b"9" * 4000 + b"\n", b"G" + b"\xff" * 8,
    b"X\x05\x00\x00\x00hello", b"X\x01\x00\x00\x00a", b"X\xff\xff\xff\x7f", b"\x8c\x03\xed\xa0\x80",
    b"\x95" + b"\xff" * 8,
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nSize\n", b"ctorch\n_dynamo\n", b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_tensor_v3\n", b"(ios\nsystem\n", b"p1\n", b"g1\n",
)  # fmt: skip


def _instructions(data: bytes, random: Random) -> bytes:
    """Of all the pickles at the start of the data."""
    stream, starts = io.BytesIO(data), []
    try:
        while True:
            starts += [place for _, _, place in pickletools.genops(stream) if place is not None]
    except ValueError:
        starts.append(max(starts, default=0))
    ends = dict(pairwise(starts))
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        at, other = random.choice(starts[:-1]), random.choice(starts[:-1])
        stop = ends.get(at, at + 1)
        piece = random.choice(
            (b"", random.choice(_INSTRUCTIONS), random.choice(_INSTRUCTIONS), data[other : ends[other]])
        )
        data = data[: at if random.random() < 0.6 else stop] + piece + data[stop:]
    return data


# records of an archive


def _archive(data: bytes, random: Random) -> Damaged:
    how = random.choice(("pickle", "pickle", "pickle", "description", "twice", "renamed", "missing", "value"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    description = next(name for name in records if name.endswith("/data.pkl"))
    name = random.choice(list(records))
    twice = how == "twice"
    if how == "value":  # a byte of a record, whose checksum stays
        record = random.choice([each for name, each in records.items() if "/data" in name and each])
        at = data.index(record) + random.randrange(len(record))
        return Damaged(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :], "record and checksum", True)
    if how == "pickle":
        records[description] = _instructions(records[description], random)
    elif how == "description":
        records[description] = random.choice(_BYTES)(records[description], random)
    elif how == "renamed":
        records[random.choice(("x", f"{name}0", "other/data.pkl", "\x1b[2J", "archive/data/00"))] = records.pop(name)
    elif how == "missing":
        del records[name]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, content in records.items():
            archive.writestr(zipfile.ZipInfo(each), content)
            if twice and each == name:
                archive.writestr(zipfile.ZipInfo(each), content)
    return Damaged(buffer.getvalue(), f"archive, {how}", twice)


# headers


def _safetensors(data: bytes, random: Random) -> Damaged:
    end = 8 + int.from_bytes(data[:8], "little")
    header = _json(data[8:end], random)
    whole = len(header.data).to_bytes(8, "little") + header.data + data[end:]
    return Damaged(whole, f"header, {header.how}", header.must_be_refused)


_LITERALS = (
    "'", "(", ")" * 9, "(" * 500, "L", "-", "None", "9" * 400, "9" * 5000, "'O'", "'<f8'", "'V999999999'", "True",
    "{}", ",",
    "[('a', '<f4')]", "#", "\\", "\n", "\x1b", "**", "1e9", "'''", "lambda: 0", "__import__('os').system('true')",
)  # fmt: skip


def _array(data: bytes, random: Random) -> bytes:
    """The header of an ``.npy`` file, and now and then a number."""
    if random.random() < 0.3:
        number = random.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\0\0\x80\xff"))
        at = 128 + 4 * random.randrange((len(data) - 128) // 4)
        return data[:at] + number + data[at + 4 :]
    end = 10 + int.from_bytes(data[8:10], "little")
    header = data[10:end].decode("latin-1").rstrip()
    tokens = re.findall(r"\w+|\W", header)
    tokens[random.randrange(len(tokens))] = random.choice(_LITERALS)
    text = ("".join(tokens)[:60_000] + "\n").encode()
    return data[:8] + len(text).to_bytes(2, "little") + text + data[end:]


def _is_json(data: bytes) -> bool:
    try:
        return bool(_places(json.loads(data)))
    except ValueError:
        return False


def damaged(data: bytes, random: Random) -> Damaged:
    """The file with one damage that its format invites, or one that any file may suffer."""
    if not data:
        return Damaged(random.randbytes(8), "something in an empty file")
    if random.random() < 0.65:
        if data[:4] == b"PK\x03\x04":
            return _archive(data, random)
        if data[:6] == b"\x93NUMPY":
            return Damaged(_array(data, random), "array")
        if data[:2] == b"\x80\x02":
            return Damaged(_instructions(data, random), "pickle")
        if data[8:10] == b'{"':
            return _safetensors(data, random)
        if _is_json(data):
            return _json(data, random)
        lines = data.splitlines(keepends=True)
        if len(lines) > 1 and _is_json(lines[0]):
            number = random.randrange(len(lines))
            line = _json(lines[number], random)
            return Damaged(b"".join([*lines[:number], line.data + b"\n", *lines[number + 1 :]]), f"line, {line.how}")
    kind = random.choice(_BYTES)
    return Damaged(kind(data, random), kind.__name__.strip("_"))
