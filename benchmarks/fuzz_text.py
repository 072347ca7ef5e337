"""Readers of tokenizer files for the fuzz run: of each, how to make good files, and how to read and use them."""

import base64
import json
import pickle
import string
import struct
from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tfx_core.checkpoint import open_folder
from tfx_core.errors import TextError
from tfx_core.text import Recipe, TextFacts, read_tokenizer
from tfx_core.text.recipes import (
    MOSES_ENGLISH,
    byte_bpe_recipe,
    moses_word_steps,
    replacements,
    sentencepiece_recipe,
    word_bpe_recipe,
    wordpiece_recipe,
    words_recipe,
)

TEXT = "The quick brown fox, it's 1,000.5 Zoë\n東京 aaaa " * 20

SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
WORDS = [*SPECIAL, *"abcdefghijklmnopqrstuvwxyz.,'", "##a", "##e", "##x", "the", "qui", "##ck"]

WORDPIECE = wordpiece_recipe(
    TextFacts("BertTokenizer", {f"{token[1:-1].lower()}_token": token for token in SPECIAL}), single="cls_token $A"
)
BYTE_BPE = byte_bpe_recipe(TextFacts("GPT2Tokenizer", {"unk_token": "<unk>"}))
SPIECE = sentencepiece_recipe(TextFacts("T5Tokenizer", {"unk_token": "<unk>"}), single="$A", pair="$A $B")
WORD_BPE = word_bpe_recipe(
    TextFacts("XLMTokenizer", {"unk_token": "<unk>"}),
    single="$A",
    pair="$A $B",
    clean=lambda settings: replacements(moses_word_steps(MOSES_ENGLISH)),
)
MOSES = words_recipe(TextFacts("TransfoXLTokenizer", {"eos_token": "<eos>", "unk_token": "<unk>"}))


def _reader(recipe: Recipe | None) -> Callable[[Path], object]:
    def use(folder: Path) -> object:
        tokenizer = read_tokenizer(open_folder(folder), recipe)
        try:
            ids = tokenizer(TEXT, TEXT).input_ids
            return ids, tokenizer.decode(ids, skip_special_tokens=True), tokenizer.add_tokens("<new>")
        except TextError as error:  # the files make a tokenizer; this text is one that it cannot cut
            return error

    return use


def _write(folder: Path, **files: object) -> None:
    for name, contents in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(contents if isinstance(contents, bytes) else json.dumps(contents).encode())


def _wordpiece(folder: Path) -> None:
    _write(folder, vocab__txt="\n".join(WORDS).encode())


def _settings(folder: Path) -> None:
    _wordpiece(folder)
    token = {"content": "<new>", "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    config = {"do_lower_case": True, "model_max_length": 512, "padding_side": "right", "mask_token": token}
    _write(folder, tokenizer_config__json={**config, "added_tokens_decoder": {str(len(WORDS)): token}})


def _chat(folder: Path) -> None:
    _wordpiece(folder)
    template = (
        "{% for message in messages %}{% if message.role == 'user' and loop.index0 % 2 %}{{ raise_exception('turns') }}"
        "{% endif %}{{ '[CLS] ' + message['content'] | trim }} {{ message | tojson }}{% endfor %}"
    )
    _write(folder, tokenizer_config__json={"chat_template": [{"name": "default", "template": template}]})
    _write(folder, chat_template__jinja=template.encode())


def _read_chat(folder: Path) -> object:
    # not rendered: an error of a template is told with a traceback that jinja2 makes of code
    return read_tokenizer(open_folder(folder), WORDPIECE).get_chat_template()


def _special(folder: Path) -> None:
    _wordpiece(folder)
    _write(
        folder,
        special_tokens_map__json={"cls_token": "[CLS]", "additional_special_tokens": ["<a>", "<b>"]},
        added_tokens__json={"<a>": len(WORDS), "<b>": len(WORDS) + 1, "{": len(WORDS) + 2},
    )


def _byte_bpe(folder: Path) -> None:
    pairs = [("t", "h"), ("th", "e"), ("Ġ", "the")]
    tokens = ["<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in pairs)]
    merges = "".join(f"{one} {other}\n" for one, other in pairs)
    _write(
        folder,
        vocab__json={token: number for number, token in enumerate(tokens)},
        merges__txt=f"#version: 0.2\n{merges}".encode(),
    )


def _word_bpe(folder: Path) -> None:
    merges = ["t h 120", "th e</w> 80", "q u 7", "qu i 5"]  # "qu" has no id
    letters = [letter + end for letter in string.ascii_lowercase for end in ("", "</w>")]
    tokens = ["<unk>", *letters, "th", "the</w>", "qui"]
    _write(
        folder,
        vocab__json={token: number for number, token in enumerate(tokens)},
        merges__txt="".join(f"{line}\n" for line in merges).encode(),
    )


def _field(number: int, value: bytes | int | float) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 5) + struct.pack("<f", value)


def _varint(value: int) -> bytes:
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def _table() -> bytes:
    """SentencePiece's normaliser table with one entry: ``é`` becomes ``e``."""
    units = [0] * 1024
    for place, base, byte in ((0, 256, 0), (256 ^ 0xC3, 512, 0xC3), (512 ^ 0xA9, 768, 0xA9)):
        units[place] = (place ^ base) << 10 | (byte == 0xA9) << 8 | byte
    units[768] = 1 << 31
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + b"e\0"


def _spiece(algorithm: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), *((each, -2.0, 1) for each in "▁abcdefghijklmnopqrstuvwxyz")]
        pieces += [("th", -1.0, 1), ("the", -0.5, 1), ("▁the", -0.1, 1), ("#", 0.0, 4)]
        data = b"".join(
            _field(1, _field(1, text.encode()) + _field(2, score) + _field(3, kind)) for text, score, kind in pieces
        )
        _write(folder, spiece__model=data + _field(2, _field(3, algorithm)) + _field(3, _field(2, _table())))

    return make


def _contents() -> dict[str, object]:
    words = ["<eos>", "<unk>", "the", "quick", "brown", ",", "1", "000", "@,@"]
    return {"idx2sym": words, "sym2idx": {word: number for number, word in enumerate(words)}, "unk_idx": 1}


def _vocab_bin(archive: bool) -> Callable[[Path], None]:
    return lambda folder: torch.save(_contents(), folder / "vocab.bin", _use_new_zipfile_serialization=archive)


def _tokenizer_json(model: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        numbers = {word: number for number, word in enumerate(WORDS)}
        kinds: dict[str, Callable[[], models.Model]] = {
            "WordPiece": lambda: models.WordPiece(numbers, unk_token="[UNK]"),
            "WordLevel": lambda: models.WordLevel(numbers, unk_token="[UNK]"),
            "BPE": lambda: models.BPE({**numbers, "th": len(numbers)}, [("t", "h")], unk_token="[UNK]"),
            "Unigram": lambda: models.Unigram([(word, -float(number)) for word, number in numbers.items()], 0, False),
        }
        tokenizer = Tokenizer(kinds[model]())
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("x", "y")])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits()])
        tokenizer.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace("y", "x")])
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
        tokenizer.add_special_tokens(list(SPECIAL))
        stored = json.loads(tokenizer.to_str())
        table = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(_table()).decode()}
        stored["normalizer"]["normalizers"].append(table)
        _write(folder, tokenizer__json=stored)

    return make


READERS: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "vocab.txt": (_wordpiece, _reader(WORDPIECE)),
    "tokenizer_config.json": (_settings, _reader(WORDPIECE)),
    "chat templates": (_chat, _read_chat),
    "special_tokens_map.json, added_tokens.json": (_special, _reader(WORDPIECE)),
    "vocab.json, merges.txt": (_byte_bpe, _reader(BYTE_BPE)),
    "vocab.json, merges.txt of words": (_word_bpe, _reader(WORD_BPE)),
    "spiece.model, Unigram": (_spiece(1), _reader(SPIECE)),
    "spiece.model, BPE": (_spiece(2), _reader(SPIECE)),
    "vocab.txt of words": (lambda folder: _write(folder, vocab__txt=b"<eos>\n<unk>\nthe\nquick\n"), _reader(MOSES)),
    "vocab.pkl": (lambda folder: _write(folder, vocab__pkl=pickle.dumps(_contents())), _reader(MOSES)),
    "vocab.bin": (_vocab_bin(True), _reader(MOSES)),
    "vocab.bin before archives": (_vocab_bin(False), _reader(MOSES)),
    **{
        f"tokenizer.json, {model}": (_tokenizer_json(model), _reader(None))
        for model in ("WordPiece", "WordLevel", "BPE", "Unigram")
    },
}
"""Name -> (make good files in an empty folder, read them and use them once)."""
