"""Writes small SentencePiece model files, so that tests need neither the library nor a trained model."""

import struct
from collections.abc import Iterable, Mapping

from tfx_core.text.recipes import Piece, PieceKind

CONTROL, UNKNOWN, USER, UNUSED, BYTE = (
    PieceKind.CONTROL,
    PieceKind.UNKNOWN,
    PieceKind.USER_DEFINED,
    PieceKind.UNUSED,
    PieceKind.BYTE,
)
BYTES = tuple(Piece(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256))


def varint(value: int) -> bytes:
    """A whole number in groups of seven bits, the lowest first."""
    encoded = b""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def field(number: int, value: bytes | int | float) -> bytes:
    """One field of a message: bytes with their length, a whole number as a varint, a float in four bytes."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 5) + struct.pack("<f", value)


def piece_field(piece: Piece) -> bytes:
    """A piece as a field of the model."""
    kind = b"" if piece.kind is PieceKind.NORMAL else field(3, int(piece.kind))
    return field(1, field(1, piece.text.encode()) + field(2, piece.score) + kind)


def spiece(
    pieces: Iterable[Piece],
    *,
    algorithm: int = 1,
    table: bytes = b"",
    trainer: bytes = b"",
    normalizer: bytes = b"",
) -> bytes:
    """The contents of a model file; ``trainer`` and ``normalizer`` are further fields of these two messages."""
    specifications = field(2, field(3, algorithm) + trainer) + field(
        3, field(1, b"test") + (field(2, table) if table else b"") + normalizer
    )
    return b"".join(map(piece_field, pieces)) + specifications


def charsmap(entries: Mapping[str, str]) -> bytes:
    """A normaliser table: a trie in which every node has 256 places of its own, and the strings behind it."""
    strings, starts = b"", {}
    for key, value in entries.items():
        starts[key.encode()] = len(strings)
        strings += value.encode() + b"\0"
    nodes = sorted({key[:length] for key in starts for length in range(len(key) + 1)})
    base = {node: (number + 1) * 256 for number, node in enumerate(nodes)}
    place = {node: base[node[:-1]] ^ node[-1] if node else 0 for node in nodes}
    units = [0] * (256 * (len(nodes) + 1))
    for node in nodes:
        leaf = node in starts
        units[place[node]] = (place[node] ^ base[node]) << 10 | leaf << 8 | (node[-1] if node else 0)
        if leaf:
            units[base[node]] = 1 << 31 | starts[node]
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + strings


def scored(*texts: str, first: float = -1.0, step: float = -0.5) -> list[Piece]:
    """Pieces with scores that fall by ``step`` from one to the next."""
    return [Piece(text, first + step * place) for place, text in enumerate(texts)]


LETTERS = scored("▁", *"aeiou5,", '"', "\u0301", first=-5.0)
