"""A vocabulary of subword pieces, trained on texts, and the files that T5 and Marian have for one."""

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import tfx_core

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
"""Ids 0, 1 and 2 of T5."""


def trained(texts: Iterable[str], size: int, special: Sequence[str] = (PAD, END, UNKNOWN)) -> Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2016) of words, single digits and single signs; blanks are ``▁``."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write_json(file: Path, content: object) -> None:
    """Readable, and as it is in other languages."""
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


# -- T5 ----------------------------------------------------------------------------------------------------------------


def saved(tokenizer: Tokenizer, folder: Path, longest: int) -> tfx_core.Tokenizer:
    """Written as a T5 tokenizer without sentinels, and read back from there."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "T5TokenizerFast",
        "extra_ids": 0,
        "model_max_length": longest,
        "pad_token": PAD,
        "eos_token": END,
        "unk_token": UNKNOWN,
    }
    write_json(folder / "tokenizer_config.json", settings)
    return tfx_core.load_tokenizer(folder)


# -- Marian ------------------------------------------------------------------------------------------------------------


def saved_marian(
    source: Tokenizer, target: Tokenizer, languages: Sequence[str], folder: Path, longest: int
) -> tfx_core.Tokenizer:
    """Written as a Marian tokenizer that takes ``>>xxx<<`` for each language, and read back from there.

    Both vocabularies begin with ``</s>`` and ``<unk>``. In ``vocab.json`` their pieces share the ids.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for side, tokenizer in (("source", source), ("target", target)):
        (folder / f"{side}.spm").write_bytes(sentencepiece_model(pieces(tokenizer)))
    together = dict.fromkeys([*pieces(source), *pieces(target), *map(code, languages), PAD])
    write_json(folder / "vocab.json", {piece: number for number, piece in enumerate(together)})
    settings = {
        "tokenizer_class": "MarianTokenizer",
        "source_lang": "eng",
        "target_lang": "+".join(languages),
        "model_max_length": longest,
        "pad_token": PAD,
        "eos_token": END,
        "unk_token": UNKNOWN,
    }
    write_json(folder / "tokenizer_config.json", settings)
    return tfx_core.load_tokenizer(folder)


def code(language: str) -> str:
    """What stands before a source and names the language to translate it to."""
    return f">>{language}<<"


def pieces(tokenizer: Tokenizer) -> list[str]:
    """The pieces of a vocabulary in the order of their ids."""
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def sentencepiece_model(pieces: Sequence[str]) -> bytes:
    """A SentencePiece model file of byte-pair pieces, the one to be joined first in front.

    The messages of https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto: the pieces, each
    with its score, then the kind of model (byte-pair encoding is 2), then the normaliser, which leaves texts alone.
    """
    kinds = {UNKNOWN: 2, END: 3}
    written = b"".join(
        _field(1, _field(1, piece.encode()) + _field(2, -float(rank)) + _field(3, kinds.get(piece, 1)))
        for rank, piece in enumerate(pieces)
    )
    places = {END: 42, UNKNOWN: 40}
    ids = b"".join(_field(place, pieces.index(piece)) for piece, place in places.items())
    absent = b"".join(_field(place, -1) for place in (41, 43))  # <s> and <pad>
    return written + _field(2, _field(3, 2) + ids + absent) + _field(3, _field(1, b"identity"))


def _field(number: int, value: bytes | int | float) -> bytes:
    """One field of a protocol buffer: bytes with their length, a whole number as a varint, or a float in four bytes."""
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 5) + struct.pack("<f", value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; a negative number as its 64 bits."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
