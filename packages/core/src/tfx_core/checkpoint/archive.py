"""The archives that ``torch.save`` writes: zip files whose records are stored as they are, and checked before use."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import BinaryIO, TypeAlias

from tfx_core.errors import shown

RECORD_SIGNATURE = b"PK\x03\x04"
_RECORD_HEADER = struct.Struct("<4s2xHH4xIIIHH")
"""Signature, flags, compression, CRC-32, stored size, size, length of the name, length of what follows it."""
_SIZES_FOLLOW = 8
"""The flag of a record whose header does not have sizes and sum."""
_UTF8_NAME = 0x800
"""The flag of a record whose name is in UTF-8."""
_SIZE_ELSEWHERE = 0xFFFFFFFF
"""What stands for a size that has more than 32 bits."""
_LARGEST_DIRECTORY = 4_000_000  # bytes; 40,000 storages
_PIECE = 1 << 20
"""Bytes that are read at a time for a checksum."""

Place: TypeAlias = tuple[int, int]
"""Where bytes lie in the file: start and count."""


def read_archive(stream: BinaryIO) -> dict[str, Place]:
    """The records behind the archive's root, by name: ``data.pkl``, ``data/0``, ….

    Raises `ValueError`, `zipfile.BadZipFile`, `NotImplementedError`, `OverflowError` or `struct.error` for what
    ``torch.save`` did not write, and for an archive that contradicts itself or its checksums.
    """
    with zipfile.ZipFile(_Directory(stream)) as archive:
        listed = archive.infolist()
    descriptions = [info.filename for info in listed if info.filename.endswith("/data.pkl")]
    descriptions = [name for name in descriptions if name.count("/") == 1]
    if len(set(descriptions)) != 1:
        raise ValueError("the archive has no data.pkl, so torch.save did not write it")
    root = descriptions[0].removesuffix("data.pkl")
    return _places((info for info in listed if info.filename.startswith(root)), stream, root)


class _Directory:
    """An archive as `zipfile` needs it, which reads the directory at once: one that is too long is refused before."""

    def __init__(self, stream: BinaryIO) -> None:
        self.seek = stream.seek
        self.tell = stream.tell
        self._stream = stream

    def read(self, count: int = -1, /) -> bytes:
        """The next ``count`` bytes, or all that are left."""
        if count > _LARGEST_DIRECTORY:
            raise ValueError(f"its directory has {count} bytes, of which {_LARGEST_DIRECTORY} are read at most")
        return self._stream.read(count)


def _places(listed: Iterable[zipfile.ZipInfo], stream: BinaryIO, root: str) -> dict[str, Place]:
    """Where the bytes of each record lie, by its name behind ``root``: none listed twice or lying over another."""
    places: dict[str, Place] = {}
    end, before, length = 0, "", stream.seek(0, io.SEEK_END)
    for info in sorted(listed, key=lambda info: info.header_offset):
        name = info.filename.removeprefix(root)
        if name in places:
            raise ValueError(f"record {shown(info.filename)} is there twice")
        if info.header_offset < end:
            raise ValueError(f"records {shown(before)} and {shown(info.filename)} lie over each other")
        start, count = places[name] = _place(info, stream, length)
        end, before = start + count, info.filename
    return places


def _place(info: zipfile.ZipInfo, stream: BinaryIO, length: int) -> Place:
    """Where the bytes of a record lie in ``length`` ones, which must be as directory and header say."""
    name, size = shown(info.filename), info.file_size
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.compress_size != size:
        raise ValueError(f"record {name} is compressed or encrypted, which torch.save never does")
    if not 0 <= info.header_offset <= length - _RECORD_HEADER.size:
        raise ValueError(f"record {name} lies beyond the end, the file is cut short")
    stream.seek(info.header_offset)
    header = _RECORD_HEADER.unpack(stream.read(_RECORD_HEADER.size))
    signature, flags, compression, checksum, *sizes, name_length, padding = header
    start = info.header_offset + _RECORD_HEADER.size + name_length + padding
    if signature != RECORD_SIGNATURE or start + size > length:
        raise ValueError(f"record {name} is damaged or cut short")
    own_name = stream.read(name_length)
    encoding = "utf-8" if flags & _UTF8_NAME else "cp437"
    same = own_name == info.orig_filename.encode(encoding) and compression == info.compress_type
    if not flags & _SIZES_FOLLOW:
        same = same and checksum == info.CRC and all(own in (size, _SIZE_ELSEWHERE) for own in sizes)
    if not same or flags != info.flag_bits:
        raise ValueError(f"record {name} is another one in the directory than in its own header")
    if info.CRC and _checksum(stream, start, size) != info.CRC:
        raise ValueError(f"record {name} is damaged, its checksum is not the recorded one")
    return start, size


def _checksum(stream: BinaryIO, start: int, count: int) -> int:
    """CRC-32 of ``count`` bytes from ``start``."""
    stream.seek(start)
    checksum, buffer = 0, memoryview(bytearray(min(count, _PIECE)))
    for first in range(0, count, _PIECE):
        piece = buffer[: count - first]
        if stream.readinto(piece) != len(piece):  # type: ignore[attr-defined]  # files and BytesIO have it
            raise ValueError("it became shorter while it was read")
        checksum = zlib.crc32(piece, checksum)
    return checksum
