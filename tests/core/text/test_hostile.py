"""Tokenizer files that are made to crash, hang or fill the memory: each is one error that names the file."""

import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models

from tests.core.text.folders import BERT, read, write
from tfx_core.errors import TextError
from tfx_core.text import Recipe, TextFacts
from tfx_core.text.bounds import LONGEST_ADDED_TOKEN, LONGEST_PIECE
from tfx_core.text.guard import guarded
from tfx_core.text.recipes import byte_bpe_recipe, sentencepiece_recipe, words_recipe
from tfx_testing.sentencepiece_files import CONTROL, LETTERS, UNKNOWN, USER, Piece, charsmap, spiece

SPIECE = sentencepiece_recipe(TextFacts("T5Tokenizer", {"unk_token": "<unk>"}), single="$A", pair="$A $B")
BPE = byte_bpe_recipe(TextFacts("GPT2Tokenizer", {"unk_token": "<unk>"}))
WORDS = words_recipe(TextFacts("TransfoXLTokenizer", {"unk_token": "<unk>"}))
START = [Piece("<unk>", 0.0, UNKNOWN), Piece("<s>", 0.0, CONTROL), *LETTERS]
LONG = "a" * 200_000
"""As a piece of a Unigram model it would end the interpreter."""


def tokenizer_json(**parts: object) -> dict[str, Any]:
    model = {"type": "BPE", "vocab": {"a": 0}, "merges": []}
    return {"version": "1.0", "added_tokens": [], "model": model, **parts}


def unigram(piece: str) -> dict[str, Any]:
    return tokenizer_json(model={"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], [piece, -1.0]]})


def replace(pattern: str, content: str, kind: str = "String") -> dict[str, Any]:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def normalizers(*steps: object) -> dict[str, Any]:
    return tokenizer_json(normalizer={"type": "Sequence", "normalizers": steps})


def template(*single: dict[str, Any]) -> dict[str, Any]:
    pair = [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"]
    return tokenizer_json(
        post_processor={"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {}}
    )


TEXT = {"Sequence": {"id": "A", "type_id": 0}}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
ADDED = {"id": 1, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}

HOSTILE: dict[str, tuple[object, str]] = {
    "doubled forty times": (normalizers(*[replace("e", "ee")] * 40), "its steps make"),
    "an odd character doubled": (normalizers(*[replace("☃", "☃☃")] * 40), "its steps make"),
    "a chain of characters": (
        normalizers(*[replace(chr(0x4000 + i), 2 * chr(0x4001 + i)) for i in range(40)]),
        "its steps make",
    ),
    "a regular expression that doubles": (normalizers(*[replace("(?=.)", "x", "Regex")] * 40), "its steps make"),
    "sequences within sequences": (
        normalizers({"type": "Sequence", "normalizers": [replace("e", "ee")] * 40}),
        "its steps make",
    ),
    "much before a text": (normalizers({"type": "Prepend", "prepend": "x" * 1_000_000}), "its steps make"),
    "bytes of bytes": (
        tokenizer_json(pre_tokenizer={"type": "Sequence", "pretokenizers": [BYTES] * 40}),
        "its steps make",
    ),
    "a decoder that doubles": (
        tokenizer_json(decoder={"type": "Sequence", "decoders": [replace("e", "ee")] * 40}),
        "its steps make",
    ),
    "ten thousand steps": (normalizers(*[{"type": "NFC"}] * 10_000), "goes through 10000 steps"),
    "a text that comes a thousand times": (template(*[TEXT] * 1000), "single: puts a text twice"),
    "a token that the template lacks": (
        template({"SpecialToken": {"id": "[CLS]", "type_id": 0}}, TEXT),
        r"the special token '\[CLS\]' is not among",
    ),
    "an empty table": (tokenizer_json(normalizer={"type": "Precompiled", "precompiled_charsmap": ""}), "Precompiled"),
    "an expression without end": (normalizers(replace(r"(.+)+\d{9}", "", "Regex")), "retry-limit"),
    "words without bound": (
        tokenizer_json(
            model={
                "type": "WordPiece",
                "vocab": {"a": 0},
                "unk_token": "a",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 10**9,
            }
        ),
        "max_input_chars_per_word is 1000000000",
    ),
    "JSON nested without end": ('{"model":' * 100_000, "tokenizer.json"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_before_it_does_its_work(name: str, tmp_path: Path) -> None:
    contents, said = HOSTILE[name]
    with pytest.raises(TextError, match=rf"/tokenizer\.json: .*{said}" if said != "tokenizer.json" else said):
        read(write(tmp_path, {"tokenizer.json": contents}), None)


LONG_PIECES: dict[str, tuple[dict[str, object], Recipe | None]] = {
    "spiece.model": ({"spiece.model": spiece([*START, Piece(LONG)])}, SPIECE),
    "vocab.txt": ({"vocab.txt": ["[UNK]", LONG]}, BERT),
    "vocab.json": ({"vocab.json": {"<unk>": 0, LONG: 1}, "merges.txt": ""}, BPE),
    "words": ({"vocab.txt": ["<unk>", LONG]}, WORDS),
    "vocab.pkl": ({"vocab.pkl": pickle.dumps({"idx2sym": ["<unk>", LONG]})}, WORDS),
    "tokenizer.json": ({"tokenizer.json": unigram(LONG)}, None),
    "tokenizer.json, quotation marks": ({"tokenizer.json": unigram('"' * 200_000)}, None),
    "tokenizer.json, backslashes": ({"tokenizer.json": unigram("\\" * 200_000)}, None),
    "tokenizer.json, escapes": ({"tokenizer.json": unigram("é" * 200_000)}, None),
    "tokenizer.json, a model twice": (
        {"tokenizer.json": json.dumps(tokenizer_json())[:-1] + ", " + json.dumps(unigram(LONG))[1:]},
        None,
    ),
    "tokenizer.json, BPE": (
        {"tokenizer.json": tokenizer_json(model={"type": "BPE", "vocab": {LONG: 0}, "merges": []})},
        None,
    ),
    "tokenizer.json, merges": (
        {"tokenizer.json": tokenizer_json(model={"type": "BPE", "vocab": {"a": 0}, "merges": [[LONG, "a"]]})},
        None,
    ),
    "tokenizer.json, added": ({"tokenizer.json": tokenizer_json(added_tokens=[{**ADDED, "content": LONG}])}, None),
    "added_tokens.json": ({"vocab.txt": ["[UNK]", "[SEP]", "[CLS]"], "added_tokens.json": {LONG: 3}}, BERT),
    "tokenizer_config.json": (
        {
            "vocab.txt": ["[UNK]", "[SEP]", "[CLS]"],
            "tokenizer_config.json": {"added_tokens_decoder": {"3": {"content": LONG}}},
        },
        BERT,
    ),
}


@pytest.mark.parametrize("name", LONG_PIECES)
def test_a_piece_that_would_end_the_interpreter_is_refused(name: str, tmp_path: Path) -> None:
    files, recipe = LONG_PIECES[name]
    with pytest.raises(TextError, match=rf"{re.escape(str(tmp_path))}.* has 200000 characters"):
        read(write(tmp_path, files), recipe)


def test_the_longest_piece_is_read(tmp_path: Path) -> None:
    piece = "a" * LONGEST_PIECE
    assert read(write(tmp_path / "model", {"spiece.model": spiece([*START, Piece(piece)])}), SPIECE).vocab_size
    tokens = read(write(tmp_path / "json", {"tokenizer.json": unigram(piece)}), None)
    assert tokens.convert_tokens_to_ids(piece) == 1
    assert tokens.add_tokens("b" * LONGEST_ADDED_TOKEN) == 1
    with pytest.raises(TextError, match=f"more than the {LONGEST_ADDED_TOKEN}"):
        tokens.add_tokens("b" * (LONGEST_ADDED_TOKEN + 1))


def trie(ways: list[tuple[int, int]], levels: int) -> bytes:
    """A table whose levels all go on from every byte in a range, so that its ways double and double again."""
    units = [0] * (256 * (levels + 2))
    units[0] = 256 << 10
    for level, (first, last) in zip(range(1, levels + 1), ways * levels, strict=False):
        for byte in range(first, last):
            place = 256 * level ^ byte
            units[place] = (place ^ 256 * (level + 1)) << 10 | (level == levels) << 8 | byte
    packed = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(packed)) + packed + b"x\0"


MODELS: dict[str, tuple[bytes, str]] = {
    "all pairs of a BPE model": (
        spiece([*START, *(Piece("a" * size) for size in range(2, 1200))], algorithm=2),
        "more ways to join them than can be listed",
    ),
    "a table whose ways meet": (spiece(START, table=trie([(0x61, 0x7B)], 28)), "goes round in circles"),
    "a table of all characters": (spiece(START, table=trie([(0xC2, 0xF4), (0x80, 0xC0)], 30)), "precompiled_charsmap"),
    "entries of one long string": (spiece(START, table=charsmap({"e": "x" * 100_000})), "does not end within"),
    "a table that makes much of a text": (spiece(START, table=charsmap({"e": "x" * 900})), "its steps make"),
    "symbols without end": (
        spiece([*START, *(Piece(f"ä{i}", 0.0, USER) for i in range(3000))], table=charsmap({"ä": "a"})),
        "need a stand-in each",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_hostile_model_file_is_refused(name: str, tmp_path: Path) -> None:
    data, said = MODELS[name]
    with pytest.raises(TextError, match=rf"{re.escape(str(tmp_path))}.*{said}"):
        read(write(tmp_path, {"spiece.model": data}), SPIECE)


def cut_archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"idx2sym": ["<unk>"]}))
    data = bytearray(stream.getvalue())
    directory = data.index(b"PK\x01\x02")
    data[directory + 20 : directory + 28] = struct.pack("<II", 10_000, 10_000)  # more than the file has
    return bytes(data)


def laughs() -> bytes:
    """A number that, written out, would have ten to the power of thirty characters."""
    value: object = "ha"
    for _ in range(30):
        value = [value] * 10
    return pickle.dumps({"idx2sym": ["<unk>"], "unk_idx": value, "sym2idx": None})


PICKLES: dict[str, tuple[bytes, str]] = {
    "an archive that ends early": (cut_archive(), "is no pickled vocabulary"),
    "a number that is a tree": (laughs(), "unk_idx is "),
    "half a character": (pickle.dumps({"idx2sym": ["<unk>", "\ud800"]}), "half of a surrogate pair"),
    "pairs that are none": (
        b"\x80\x02}(X\x07\0\0\0idx2symccollections\nOrderedDict\n(]q\0(K\1K\2K\3e](h\0h\0etRu.",
        "is no pickled vocabulary",
    ),
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_hostile_pickle_is_refused(name: str, tmp_path: Path) -> None:
    data, said = PICKLES[name]
    with pytest.raises(TextError, match=rf"/vocab\.bin: .*{said}") as caught:
        read(write(tmp_path, {"vocab.bin": data}), WORDS)
    assert len(str(caught.value)) < 1000


def test_a_lone_surrogate_in_a_vocabulary_names_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"vocab.json": {"<unk>": 0, "\udc00": 1}, "merges.txt": ""})
    with pytest.raises(TextError, match=r"/vocab\.json: .*half of a surrogate pair"):
        read(tmp_path, BPE)


def test_a_panic_in_a_call_is_an_error(tmp_path: Path) -> None:
    decoder = {"type": "Strip", "content": "a", "start": 2**63, "stop": 2**63}
    tokens = read(write(tmp_path, {"tokenizer.json": tokenizer_json(decoder=decoder)}), None)
    with pytest.raises(TextError, match="make no text: index out of bounds"):
        tokens.decode([0])
    with pytest.raises(TextError, match="make no text: index out of bounds"):
        tokens.convert_tokens_to_string(["a"])


def panic() -> None:
    decoders.Strip("a", 2**63, 2**63).decode(["a"])


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        (panic, "^the file: index out of bounds.*; fetch it again$"),
        (lambda: Tokenizer.from_str("x" * 1000), "^the file: expected value"),
        (lambda: models.BPE({"\ud800": 0}, []), "^the file: "),
        (interrupt, None),
    ],
)
def test_the_guard_names_the_file_and_lets_an_interrupt_pass(fails: Callable[[], object], error: str | None) -> None:
    with (
        pytest.raises(KeyboardInterrupt if error is None else TextError, match=error),
        guarded("the file", "fetch it again"),
    ):
        fails()
