"""Byte-level BPE: what the released files of GPT-2 and ENCLOSED hold, and what goes around a text."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import ByteLevelBPETokenizer

from tests.core.text.folders import read, write
from tfx_core.errors import TextError
from tfx_core.text import Recipe, TextFacts, Tokenizer
from tfx_core.text.recipes import FAIRSEQ_TOKENS, byte_bpe_recipe

PLAIN = byte_bpe_recipe(
    TextFacts("GPT2Tokenizer", dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>"))
)
ENCLOSED = byte_bpe_recipe(TextFacts("BartTokenizer", FAIRSEQ_TOKENS), enclosed=True)

TEXTS = [
    "the cat sat on the mat",
    "  the  cats\n\nsat ",
    "don't we'll I'm",
    "café 12345 £5 – 日本語 😀",
    "",
    " ",
    "\x00\x7f",
]


@pytest.fixture(scope="module")
def trained() -> dict[str, str]:
    """A vocabulary of all bytes and a few merges, as ``vocab.json`` and ``merges.txt``."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(TEXTS * 5, vocab_size=300, min_frequency=2, show_progress=False)
    model = json.loads(tokenizer.to_str())["model"]
    merges = "".join(f"{' '.join(pair)}\n" for pair in model["merges"])
    return {"vocab.json": json.dumps(model["vocab"]), "merges.txt": f"#version: 0.2\n{merges}"}


def released(folder: Path, trained: dict[str, str], recipe: Recipe, **options: Any) -> Tokenizer:
    special = {"<|endoftext|>"} if recipe is PLAIN else {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}
    vocabulary = json.loads(trained["vocab.json"])
    vocabulary |= {token: len(vocabulary) + number for number, token in enumerate(sorted(special))}
    return read(write(folder, {**trained, "vocab.json": vocabulary}), recipe, **options)


def test_merges_are_made_in_their_order(tmp_path: Path) -> None:
    vocabulary = {token: number for number, token in enumerate(["a", "b", "c", "ab", "bc", "abc", "Ġ", "Ġa"])}
    write(tmp_path, {"vocab.json": vocabulary, "merges.txt": "#version: 0.2\nb c\na b\nab c\na bc\nĠ a\n"})
    tokens = read(tmp_path, PLAIN)
    assert tokens.tokenize("abc ab a") == ["abc", "Ġ", "ab", "Ġa"]
    write(tmp_path, {"merges.txt": "a b\nb c\nab c\n"})  # no line with a version, LF or CR LF
    assert read(tmp_path, PLAIN).tokenize("abcbc") == ["abc", "bc"]
    write(tmp_path, {"merges.txt": "#version: 0.2\r\na b\r\n\r\n"})
    assert read(tmp_path, PLAIN).tokenize("abc") == ["ab", "c"]


@pytest.mark.parametrize("recipe", [PLAIN, ENCLOSED], ids=["plain", "enclosed"])
def test_every_text_comes_back(recipe: Recipe, trained: dict[str, str], tmp_path: Path) -> None:
    tokens = released(tmp_path, trained, recipe)
    for text in TEXTS:
        assert tokens.decode(tokens(text).input_ids, skip_special_tokens=True) == text
    assert set(tokens("a")) == {"input_ids", "attention_mask"}


def test_a_plain_tokenizer_has_one_special_token_and_puts_it_nowhere(trained: dict[str, str], tmp_path: Path) -> None:
    tokens = released(tmp_path, trained, PLAIN)
    assert tokens.special_tokens_map == dict.fromkeys(["bos_token", "eos_token", "unk_token"], "<|endoftext|>")
    assert tokens.tokenize("the<|endoftext|> cat", add_special_tokens=True) == ["the", "<|endoftext|>", "Ġcat"]


def test_texts_begin_where_the_settings_say(trained: dict[str, str], tmp_path: Path) -> None:
    tokens = released(tmp_path, trained, PLAIN, add_bos_token=True)
    ids = tokens("the", "cat").input_ids
    assert ids[0] == ids[2] == tokens.bos_token_id
    assert tokens("the").input_ids == ids[:2]
    assert tokens("the", add_special_tokens=False).input_ids == ids[1:2]


def test_a_byte_that_the_vocabulary_lacks_is_unknown_and_not_lost(tmp_path: Path) -> None:
    files = {"vocab.json": {"a": 0, "<|endoftext|>": 1}, "merges.txt": "#version: 0.2\n"}
    assert read(write(tmp_path, files), PLAIN)("axa").input_ids == [0, 1, 0]


@pytest.mark.parametrize("recipe", [PLAIN, ENCLOSED], ids=["plain", "enclosed"])
def test_bytes_that_are_no_text_are_replaced_and_nothing_else_is_promised(
    recipe: Recipe, trained: dict[str, str], tmp_path: Path
) -> None:
    tokens = released(tmp_path, trained, recipe, errors="replace")
    whole = tokens("a😀", add_special_tokens=False).input_ids
    assert (tokens.decode(whole), tokens.decode(whole[:-1])) == ("a😀", "a\ufffd")
    for wrong in ("ignore", "strict"):
        with pytest.raises(TextError, match=f"errors is '{wrong}'; .* can only be replaced: it must be \"replace\""):
            released(tmp_path, trained, recipe, errors=wrong)


def test_a_blank_before_the_text_is_an_option(trained: dict[str, str], tmp_path: Path) -> None:
    plain, blank = (released(tmp_path, trained, PLAIN, add_prefix_space=flag) for flag in (False, True))
    assert plain.tokenize("cat") == ["cat"]
    assert blank.tokenize("cat") == blank.tokenize(" cat") == plain.tokenize(" cat") == ["Ġcat"]
    assert blank(["the", "cat"], is_split_into_words=True).input_ids == plain(" the cat").input_ids
    with pytest.raises(TextError, match="add_prefix_space=True"):
        plain(["the", "cat"], is_split_into_words=True)


def test_texts_are_enclosed_and_pairs_parted(trained: dict[str, str], tmp_path: Path) -> None:
    tokens = released(tmp_path, trained, ENCLOSED)
    batch = tokens("the", "cat")
    assert batch.tokens() == ["<s>", "the", "</s>", "</s>", "cat", "</s>"]
    assert tokens("the", "cat", return_token_type_ids=True).token_type_ids == [0] * 6
    assert tokens("the").tokens() == ["<s>", "the", "</s>"]


def test_a_mask_can_take_the_blank_before_it(trained: dict[str, str], tmp_path: Path) -> None:
    tokens = released(tmp_path, trained, ENCLOSED)
    ids = tokens("the <mask> cat", add_special_tokens=False).input_ids
    assert tokens.convert_ids_to_tokens(ids) == ["the", "<mask>", "Ġcat"]


def test_offsets_leave_blanks_out_where_the_settings_say(trained: dict[str, str], tmp_path: Path) -> None:
    def offsets(**options: Any) -> Any:
        tokens = released(tmp_path, trained, ENCLOSED, **options)
        return tokens("the cat", add_special_tokens=False, return_offsets_mapping=True).offset_mapping

    assert offsets() == [(0, 3), (4, 7)]
    assert offsets(trim_offsets=False) == [(0, 3), (3, 7)]
    gpt2 = released(tmp_path / "gpt2", trained, PLAIN)
    assert gpt2("the cat", return_offsets_mapping=True).offset_mapping == [(0, 3), (3, 7)]


@pytest.mark.parametrize("recipe", [PLAIN, ENCLOSED], ids=["plain", "enclosed"])
def test_saving_and_reading_keeps_the_ids(recipe: Recipe, trained: dict[str, str], tmp_path: Path) -> None:
    tokens = released(tmp_path / "released", trained, recipe, add_prefix_space=True)
    tokens.add_tokens(["newword"])
    tokens.save_pretrained(tmp_path / "saved")
    texts = [*TEXTS, "a newword <mask>"]
    assert (tmp_path / "saved" / "merges.txt").read_text() == trained["merges.txt"]
    assert read(tmp_path / "saved", recipe, add_prefix_space=True)(texts).input_ids == tokens(texts).input_ids
    (tmp_path / "saved" / "tokenizer.json").unlink()
    assert read(tmp_path / "saved", recipe, add_prefix_space=True)(texts).input_ids == tokens(texts).input_ids


@pytest.mark.parametrize(
    ("recipe", "option"), [(PLAIN, "add_prefix_space"), (PLAIN, "add_bos_token"), (ENCLOSED, "add_prefix_space")]
)
def test_options_go_over_tokenizer_json(recipe: Recipe, option: str, trained: dict[str, str], tmp_path: Path) -> None:
    released(tmp_path / "released", trained, recipe).save_pretrained(tmp_path / "saved")
    expected = released(tmp_path / "other", trained, recipe, **{option: True})("cat").input_ids
    assert read(tmp_path / "saved", recipe)("cat").input_ids != expected
    assert read(tmp_path / "saved", recipe, **{option: True})("cat").input_ids == expected


def test_trimmed_offsets_go_over_tokenizer_json(trained: dict[str, str], tmp_path: Path) -> None:
    released(tmp_path / "released", trained, ENCLOSED).save_pretrained(tmp_path / "saved")
    tokens = read(tmp_path / "saved", ENCLOSED, trim_offsets=False)
    assert tokens("the cat", return_offsets_mapping=True).offset_mapping[2] == (3, 7)


GOOD = {"vocab.json": {"a": 0, "b": 1, "ab": 2}, "merges.txt": "#version: 0.2\na b\n"}


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"vocab.json": "[]"}, r"vocab\.json.* object"),
        ({"vocab.json": "{"}, r"vocab\.json.* object"),
        ({"vocab.json": b"\xff\xfe"}, r"vocab\.json"),
        ({"vocab.json": {}}, r"vocab\.json: it is empty"),
        ({"vocab.json": {"a": "0"}}, r"vocab\.json: the id of 'a' is '0'; it must be a whole number"),
        ({"vocab.json": {"a": True}}, r"vocab\.json: the id of 'a' is True"),
        ({"vocab.json": {"a": -1}}, r"vocab\.json: the id of 'a' is -1"),
        ({"vocab.json": {"a": 0, "b": 0}}, r"vocab\.json: 'a' and 'b' have the same id 0"),
        ({"vocab.json": {"a": 0, "b": 2}}, r"vocab\.json: no token has the id 1, but 'b' has 2"),
        ({"vocab.json": {"a": 0, "b": 10**12}}, r"vocab\.json: no token has the id 1, but 'b' has 1000000000000"),
        ({"merges.txt": "#version: 0.2\na b\na\n"}, r"merges\.txt, line 3: 'a' is no pair of tokens"),
        ({"merges.txt": "#version: 0.2\na b c\n"}, r"merges\.txt, line 2: 'a b c' is no pair"),
        ({"merges.txt": "\n"}, r"merges\.txt: is empty; it must hold a pair of tokens a line"),
        ({"merges.txt": "a b\nb a\n"}, r"merges\.txt, line 2: joins 'b' and 'a', but the vocabulary lacks 'ba'"),
        ({"merges.txt": "x b\n"}, r"merges\.txt, line 1: joins 'x' and 'b', but the vocabulary lacks 'x'"),
        ({"merges.txt": b"a b\n\xff\n"}, r"merges\.txt: byte 4 is not UTF-8"),
        (
            {"tokenizer_config.json": {"add_prefix_space": "yes"}},
            r"add_prefix_space='yes': must be true",
        ),
        (
            {"tokenizer_config.json": {"add_bos_token": True}},
            r"bos_token is '<\|endoftext\|>', which the vocabulary lacks",
        ),
    ],
)
def test_damaged_files_are_errors_that_name_file_and_place(files: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=problem):
        read(write(tmp_path, {**GOOD, **files}), PLAIN)
