"""A Unigram vocabulary as a SentencePiece model file, the message that ``sentencepiece_model.proto`` describes.

`tfx_core.text.sentencepiece_model` reads it, and so does the library of google/sentencepiece.
"""

import struct
from collections.abc import Sequence

from tfx_core.text.recipes import Piece, PieceKind
from tfx_training.vocabularies.charsmap_writing import nmt_nfkc

_UNIGRAM = 1
_ROLES = (("<unk>", 40), ("<s>", 41), ("</s>", 42), ("<pad>", 43))
"""Pieces that the format has fields for their ids for, and the numbers of these."""


def sentencepiece_file(pieces: Sequence[Piece]) -> bytes:
    """The contents of a ``spiece.model`` of these pieces, whose normaliser is SentencePiece's usual one."""
    places = {piece.text: place for place, piece in enumerate(pieces)}
    ids = b"".join(_number(field, places.get(text, -1)) for text, field in _ROLES)
    trainer = _number(3, _UNIGRAM) + _number(4, len(pieces)) + ids
    normalizer = _bytes(1, b"nmt_nfkc") + _bytes(2, nmt_nfkc()) + b"".join(_number(field, 1) for field in (3, 4, 5))
    return b"".join(_bytes(1, _piece(piece)) for piece in pieces) + _bytes(2, trainer) + _bytes(3, normalizer)


def _piece(piece: Piece) -> bytes:
    kind = b"" if piece.kind is PieceKind.NORMAL else _number(3, piece.kind)
    return _bytes(1, piece.text.encode()) + _key(2, 5) + struct.pack("<f", piece.score) + kind


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _varint(len(value)) + value


def _number(field: int, value: int) -> bytes:
    return _key(field, 0) + _varint(value % 2**64)


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    """Seven bits a byte, low bits first."""
    digits = []
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
