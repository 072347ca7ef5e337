"""Files of small tokenizers, as each family released its own: every letter, some words, the special tokens."""

import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers.pre_tokenizers import ByteLevel

from tfx_core.text.recipes import Piece
from tfx_testing.sentencepiece_files import CONTROL, UNKNOWN, field, scored, spiece

__all__ = [
    "Files",
    "byte_bpe",
    "continued_bpe",
    "pieces",
    "two_sides",
    "word_bpe",
    "word_pieces",
    "words",
    "write",
]

Files = Mapping[str, object]
"""File name -> contents: bytes, lines, or an object for JSON."""

WORDS = ("ab", "abc", "hello", "world")


def write(folder: Path, files: Files) -> Path:
    """Write files into a folder: bytes and strings as they are, lists as lines, other objects as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in files.items():
        if isinstance(contents, list):
            contents = "".join(f"{line}\n" for line in contents)
        if not isinstance(contents, str | bytes):
            contents = json.dumps(contents)
        (folder / name).write_bytes(contents.encode("utf-8") if isinstance(contents, str) else contents)
    return folder


def word_pieces(special: Sequence[str], file: str = "vocab.txt") -> Files:
    """Word pieces."""
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    return {file: [*special, *letters, *(f"##{letter}" for letter in string.ascii_lowercase), *WORDS]}


def byte_bpe(first: Sequence[str], last: Sequence[str]) -> Files:
    """``vocab.json`` and ``merges.txt``, with special tokens before and behind the others."""
    tokens = [*first, *sorted(ByteLevel.alphabet()), "ab", "abc", "Ġa", *last]
    merges = ["#version: 0.2", "a b", "ab c", "Ġ a"]
    return {"vocab.json": {token: number for number, token in enumerate(tokens)}, "merges.txt": merges}


def pieces(special: Sequence[str], file: str = "spiece.model") -> Files:
    """A SentencePiece model, with special tokens before the pieces."""
    control = [Piece(text, 0.0, UNKNOWN if text == "<unk>" else CONTROL) for text in special]
    signs = (*string.ascii_letters, *string.digits, *string.punctuation)
    found = scored("▁", *signs, *(f"▁{word}" for word in WORDS), first=-5.0, step=-0.01)
    # sentencepiece itself wants to be told which piece is the unknown one, and that there are no others of such kinds
    trainer = field(40, special.index("<unk>")) + b"".join(field(number, -1) for number in (41, 42, 43))
    return {file: spiece([*control, *found], trainer=trainer)}


def two_sides(*codes: str) -> Files:
    """The SentencePiece model of each side, and a ``vocab.json`` of the pieces of both and codes of languages."""
    signs = (*string.ascii_letters, *string.digits, *string.punctuation)
    sides = {"source.spm": ("▁", *signs, *(f"▁{word}" for word in WORDS)), "target.spm": ("▁", *signs, "ß", "▁welt")}
    tokens = dict.fromkeys(("</s>", "<unk>", *(text for side in sides.values() for text in side), *codes, "<pad>"))
    control = [Piece("<unk>", kind=UNKNOWN), Piece("<s>", kind=CONTROL), Piece("</s>", kind=CONTROL)]
    models = {file: spiece([*control, *scored(*side, first=-5.0, step=-0.01)]) for file, side in sides.items()}
    return {**models, "vocab.json": {token: number for number, token in enumerate(tokens)}}


def words(special: Sequence[str]) -> Files:
    """``vocab.txt`` of whole words."""
    return {"vocab.txt": [*special, *string.ascii_lowercase, *WORDS]}


def word_bpe(special: Sequence[str], *, counted: bool = True) -> Files:
    """``vocab.json`` and ``merges.txt`` of pieces of words, the merges counted or behind a version."""
    letters = [*string.ascii_letters, *string.digits, *string.punctuation]
    tokens = [*special, *letters, *(f"{letter}</w>" for letter in letters), "ab", "ab</w>", "abc</w>"]
    merges = ["a b</w> 9", "a b 5", "ab c</w> 4"]
    if not counted:
        merges = ["#version: 0.2", *(merge.rpartition(" ")[0] for merge in merges)]
    return {"vocab.json": {token: number for number, token in enumerate(tokens)}, "merges.txt": merges}


def continued_bpe(special: Sequence[str]) -> Files:
    """``vocab.json`` and ``merges.txt`` of pieces of words, those marked that others follow."""
    letters = [*string.ascii_letters, *string.digits, *string.punctuation]
    tokens = [*special, "\n", *letters, *(f"{letter}@@" for letter in letters), "ab@@", "ab", "abc"]
    merges = ["#version: 0.2", "a b</w>", "a b", "ab c</w>"]
    return {"vocab.json": {token: number for number, token in enumerate(tokens)}, "merges.txt": merges}
