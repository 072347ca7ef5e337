"""Read a SentencePiece model file: a protocol-buffer message whose fields `sentencepiece_model.proto` names.

Only what decides the ids of a text is read; every other field is stepped over, so files of later versions stay
readable. Defaults are those of the format (proto2), because writers leave a field out when it has its default.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

from tfx_core.errors import TextError, shown
from tfx_core.text.bounds import check_piece


class PieceKind(IntEnum):
    """What a piece is for (``ModelProto.SentencePiece.Type``)."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    """Has an id, but is never found in text."""
    USER_DEFINED = 4
    """Is left as it stands by the normaliser, and has a score that other ways to spell it do not reach."""
    UNUSED = 5
    BYTE = 6
    """``<0x00>`` … ``<0xFF>``: what unknown characters are spelled with under ``byte_fallback``."""


class Algorithm(IntEnum):
    """How a text is cut into pieces (``TrainerSpec.ModelType``)."""

    UNIGRAM = 1
    BPE = 2
    WORD = 3
    CHAR = 4


class Piece(NamedTuple):
    """One entry of the vocabulary; its id is its place in `SentencePieceModel.pieces`."""

    text: str
    score: float = 0.0
    """Log-probability (Unigram) or minus the rank of the merge that makes it (BPE)."""
    kind: PieceKind = PieceKind.NORMAL


@dataclass(frozen=True)
class SentencePieceModel:
    """What a model file says about text, with the names that the format gives its fields."""

    pieces: tuple[Piece, ...]
    unk_id: int
    """Place of the one piece of kind UNKNOWN."""
    algorithm: Algorithm = Algorithm.UNIGRAM
    byte_fallback: bool = False
    treat_whitespace_as_suffix: bool = False
    precompiled_charsmap: bytes = b""
    """The normaliser's table, as `tfx_core.text.recipes.charsmap` reads it; empty for none."""
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = True
    escape_whitespaces: bool = True
    label: str = "spiece.model"
    """The file that error messages name."""


def read_sentencepiece(data: bytes, label: str) -> SentencePieceModel:
    """Read the contents of a ``spiece.model``; a `TextError` names ``label`` and the byte at fault."""
    line = "" if looks_like_sentencepiece(data) else _first_line(data)
    if line:
        raise TextError(
            f"{label}: is text, perhaps a vocabulary of a token a line, and begins with {shown(line)}: it is no "
            "SentencePiece model; fetch the file of this kind of model"
        )
    reader = _Reader(data, label)
    pieces: list[Piece] = []
    model = SentencePieceModel((), 0, label=label)
    trained = normalized = False
    for field in reader.fields(0, len(data)):
        match field.number:
            case 1:
                pieces.append(_piece(reader, reader.message(field), len(pieces)))
            case 2:
                model, trained = _with_trainer(model, reader, reader.message(field)), True
            case 3:
                model, normalized = _with_normalizer(model, reader, reader.message(field)), True
    absent = [
        name
        for name, present in (("pieces", pieces), ("trainer_spec", trained), ("normalizer_spec", normalized))
        if not present
    ]
    if absent:
        raise TextError(
            f"{label}: the file ({len(data)} bytes) has no {' and no '.join(absent)}: it is cut short or is no "
            "SentencePiece model; fetch it again"
        )
    return replace(model, pieces=tuple(pieces), unk_id=_check(pieces, model))


def looks_like_sentencepiece(data: bytes) -> bool:
    """Whether a file begins as a model file does: with a piece."""
    return data.startswith(b"\n")


def _first_line(data: bytes) -> str:
    """The first line of a text, empty for what is none."""
    line = data.partition(b"\n")[0].decode("utf-8", errors="replace").rstrip("\r")
    return line if line.isprintable() and "\ufffd" not in line else ""


def _with_trainer(model: SentencePieceModel, reader: "_Reader", fields: "Iterator[_Field]") -> SentencePieceModel:
    for field in fields:
        match field.number:
            case 3:
                number = reader.varint(field)
                if number not in Algorithm._value2member_map_:
                    raise reader.error(field.start, f"model_type is {number}; the format knows 1 to 4")
                model = replace(model, algorithm=Algorithm(number))
            case 24:
                model = replace(model, treat_whitespace_as_suffix=bool(reader.varint(field)))
            case 35:
                model = replace(model, byte_fallback=bool(reader.varint(field)))
    return model


def _with_normalizer(model: SentencePieceModel, reader: "_Reader", fields: "Iterator[_Field]") -> SentencePieceModel:
    for field in fields:
        match field.number:
            case 2:
                model = replace(model, precompiled_charsmap=reader.bytes(field))
            case 3:
                model = replace(model, add_dummy_prefix=bool(reader.varint(field)))
            case 4:
                model = replace(model, remove_extra_whitespaces=bool(reader.varint(field)))
            case 5:
                model = replace(model, escape_whitespaces=bool(reader.varint(field)))
    return model


def _piece(reader: "_Reader", fields: "Iterator[_Field]", place: int) -> Piece:
    text, score, kind = "", 0.0, PieceKind.NORMAL
    for field in fields:
        match field.number:
            case 1:
                raw = reader.bytes(field)
                try:
                    text = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise reader.error(field.start, f"piece {place} is {raw[:40]!r}, which is not UTF-8") from error
            case 2:
                score = reader.float32(field)
                if not math.isfinite(score):
                    raise reader.error(field.start, f"the score of piece {place} ({shown(text)}) is {score}")
            case 3:
                number = reader.varint(field)
                if number not in PieceKind._value2member_map_:
                    raise reader.error(
                        field.start, f"the type of piece {place} ({shown(text)}) is {number}; the format knows 1 to 6"
                    )
                kind = PieceKind(number)
    check_piece(text, f"{reader.label}: piece {place}")
    if not text:
        raise TextError(f"{reader.label}: piece {place} has no text: the file is damaged; fetch it again")
    return Piece(text, score, kind)


def _check(pieces: list[Piece], model: SentencePieceModel) -> int:
    """The place of the unknown piece, once the pieces are known to be consistent."""
    seen: dict[str, int] = {}
    for place, piece in enumerate(pieces):
        first = seen.setdefault(piece.text, place)
        if first != place:
            raise TextError(
                f"{model.label}: pieces {first} and {place} are both {shown(piece.text)}; pieces must differ"
            )
    if model.byte_fallback:
        absent = [name for name in (f"<0x{byte:02X}>" for byte in range(256)) if name not in seen]
        if absent:
            raise TextError(
                f"{model.label}: byte_fallback is set, but {len(absent)} of the 256 byte pieces are absent "
                f"({', '.join(absent[:3])}, …); fetch the file again"
            )
    unknown = [place for place, piece in enumerate(pieces) if piece.kind is PieceKind.UNKNOWN]
    if len(unknown) != 1:
        raise TextError(
            f"{model.label}: {len(unknown)} pieces are of the type UNKNOWN {unknown[:5]}; there must be exactly one"
        )
    return unknown[0]


_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_NAMES = {_VARINT: "a varint", _FIXED64: "8 bytes", _BYTES: "a length and bytes", _FIXED32: "4 bytes"}


class _Field(NamedTuple):
    """One field of a message: where its value lies in the file, and the value itself where it is a varint."""

    number: int
    wire: int
    start: int
    end: int
    value: int = 0


@dataclass(frozen=True)
class _Reader:
    """The wire format of protocol buffers: pairs of a key (field number, wire type) and a value.

    The accessors check that a field has the wire type that its number calls for.
    """

    data: bytes
    label: str

    def fields(self, at: int, end: int) -> Iterator[_Field]:
        data = self.data
        while at < end:
            key, value_at = data[at], at + 1
            if key >= 0x80:
                key, value_at = self._varint(at, end)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise self.error(at, "a field has the number 0, which the format does not allow")
            value = 0
            if wire == _BYTES:
                if value_at < end and data[value_at] < 0x80:  # most lengths are one byte; large vocabularies feel it
                    value_at, value_end = value_at + 1, value_at + 1 + data[value_at]
                else:
                    length, value_at = self._varint(value_at, end)
                    value_end = value_at + length
            elif wire == _VARINT:
                value, value_end = self._varint(value_at, end)
            elif wire == _FIXED32:
                value_end = value_at + 4
            elif wire == _FIXED64:
                value_end = value_at + 8
            else:
                raise self.error(at, f"field {number} has the wire type {wire}, which the format does not use")
            if value_end > end:
                needed = value_end - value_at
                raise self.error(at, f"field {number} needs {needed} bytes, but only {end - value_at} are left")
            yield _Field(number, wire, value_at, value_end, value)
            at = value_end

    def message(self, field: _Field) -> Iterator[_Field]:
        self._expect(field, _BYTES)
        return self.fields(field.start, field.end)

    def bytes(self, field: _Field) -> bytes:
        self._expect(field, _BYTES)
        return self.data[field.start : field.end]

    def varint(self, field: _Field) -> int:
        self._expect(field, _VARINT)
        return field.value

    def float32(self, field: _Field) -> float:
        self._expect(field, _FIXED32)
        (value,) = struct.unpack_from("<f", self.data, field.start)
        return float(value)

    def error(self, at: int, problem: str) -> TextError:
        return TextError(
            f"{self.label}: at byte {at}: {problem}: the file is damaged or is no SentencePiece model; fetch it again"
        )

    def _expect(self, field: _Field, wire: int) -> None:
        if field.wire != wire:
            found = _WIRE_NAMES[field.wire]
            raise self.error(field.start, f"field {field.number} is {found} where {_WIRE_NAMES[wire]} belongs")

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """A number of seven bits a byte, low bits first, and the place after it."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise self.error(at, "a number is cut off")
            byte = self.data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise self.error(at - 10, "a number is longer than ten bytes")
