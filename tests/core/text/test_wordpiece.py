"""The WordPiece recipe: what released vocabulary files and tokenizer_config.json can hold."""

from pathlib import Path
from typing import Any

import pytest

from tests.core.text.folders import read, small, write
from tfx_core.errors import TextError
from tfx_core.text import TextFacts
from tfx_core.text.recipes import wordpiece_recipe

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "a", "b", "##b", "c"]


def test_ids_are_line_numbers(tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path, {"vocab.txt": WORDS}))
    assert tokenizer.get_vocab() == {token: number for number, token in enumerate(WORDS)}
    assert tokenizer("ab c").input_ids == [2, 5, 7, 8, 3]


@pytest.mark.parametrize(
    "contents",
    [
        "\r\n".join(WORDS) + "\r\n",
        "\n".join(WORDS),
        "\n".join(WORDS) + "\n\n\n",
        "\ufeff" + "\n".join(WORDS) + "\n",
    ],
    ids=["CR LF", "no last newline", "blank lines at the end", "byte order mark"],
)
def test_the_form_of_the_file_does_not_change_ids(contents: str, tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path, {"vocab.txt": contents}))
    assert len(tokenizer) == tokenizer.vocab_size == len(WORDS)
    assert tokenizer("ab c").input_ids == [2, 5, 7, 8, 3]


def test_the_last_of_equal_lines_counts_and_every_line_keeps_its_id(tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path, {"vocab.txt": [*SPECIAL, "a", "b", "a", "", "", "c"]}))
    assert tokenizer("a b c", add_special_tokens=False).input_ids == [7, 6, 10]
    assert len(tokenizer) == 11
    assert tokenizer.add_tokens("new") == 1
    assert tokenizer("new", add_special_tokens=False).input_ids == [11]  # not an id that a line has


def test_a_token_with_a_blank_is_kept_and_never_found(tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path, {"vocab.txt": [*SPECIAL, "a b", "a", "b"]}))
    assert tokenizer("a b", add_special_tokens=False).input_ids == [6, 7]
    assert tokenizer.convert_ids_to_tokens(5) == "a b"


def test_words_of_more_than_100_characters_are_unknown(tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path, {"vocab.txt": [*WORDS, "##a"]}))
    assert tokenizer("a" * 100, add_special_tokens=False).input_ids == [5] + [9] * 99
    assert tokenizer("a" * 101, add_special_tokens=False).input_ids == [1]


@pytest.mark.parametrize("missing", ["[UNK]", "[CLS]", "[SEP]"])
def test_a_special_token_that_the_template_needs_must_be_there(missing: str, tmp_path: Path) -> None:
    write(tmp_path, {"vocab.txt": [token for token in WORDS if token != missing]})
    with pytest.raises(TextError, match=rf"vocab\.txt: lacks '\{missing[:-1]}\]'.*tokenizer_config\.json"):
        read(tmp_path)


@pytest.mark.parametrize(
    "added",
    [
        {},
        {"added_tokens.json": {"<unk>": len(WORDS)}},
        {"tokenizer_config.json": {"added_tokens_decoder": {str(len(WORDS)): {"content": "<unk>"}}}},
    ],
)
def test_the_word_for_unknown_ones_must_be_the_model_s_own(added: dict[str, Any], tmp_path: Path) -> None:
    config = {"unk_token": "<unk>", **added.get("tokenizer_config.json", {})}
    write(tmp_path, {"vocab.txt": WORDS, **added, "tokenizer_config.json": config})
    with pytest.raises(TextError, match=r"vocab\.txt: lacks '<unk>', the unk_token"):
        read(tmp_path)


def test_a_role_that_only_the_family_gives_is_dropped_where_the_vocabulary_lacks_its_token(tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path, {"vocab.txt": [token for token in WORDS if token != "[MASK]"]}))
    assert tokenizer.mask_token is None
    assert tokenizer.mask_token_id is None
    assert len(tokenizer) == len(WORDS) - 1


def test_added_tokens_may_hold_what_the_template_needs(tmp_path: Path) -> None:
    vocabulary = [token for token in WORDS if token != "[SEP]"]
    write(tmp_path, {"vocab.txt": vocabulary, "added_tokens.json": {"[SEP]": len(vocabulary)}})
    assert read(tmp_path)("a").input_ids == [2, 4, len(vocabulary)]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        ("Größe".encode("latin-1"), "byte 2 is not UTF-8"),
        (b"\x80\x04garbage", "byte 0"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_named(contents: bytes, reason: str, tmp_path: Path) -> None:
    write(tmp_path, {"vocab.txt": contents})
    with pytest.raises(TextError, match=rf"{tmp_path}/vocab\.txt: {reason}"):
        read(tmp_path)


def test_a_folder_without_any_tokenizer_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"there is no tokenizer; it needs tokenizer\.json, or vocab\.txt"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({}, ["cafe", "中", "文"]),
        ({"do_lower_case": False}, ["Café", "中", "文"]),
        ({"strip_accents": False}, ["café", "中", "文"]),
        ({"do_lower_case": False, "strip_accents": True}, ["Cafe", "中", "文"]),
        ({"tokenize_chinese_chars": False}, ["cafe", "中文"]),
        ({"do_lower_case": False, "strip_accents": None}, ["Café", "中", "文"]),
    ],
)
def test_lower_casing_accents_and_chinese_characters(
    config: dict[str, object], tokens: list[str], tmp_path: Path
) -> None:
    every = ["cafe", "Café", "café", "Cafe", "中", "文", "中文"]
    write(tmp_path, {"vocab.txt": [*SPECIAL, *every], "tokenizer_config.json": config})
    assert read(tmp_path).tokenize("Café 中文") == tokens
    assert read(write(tmp_path, {"tokenizer_config.json": {}}), **config).tokenize("Café 中文") == tokens


def test_never_split_keeps_words_whole_and_as_they_are(tmp_path: Path) -> None:
    config = {"never_split": ["Foo-Bar", "[MASK]"]}
    write(tmp_path, {"vocab.txt": [*WORDS, "Foo-Bar", "foo", "-", "bar"], "tokenizer_config.json": config})
    tokenizer = read(tmp_path)
    assert tokenizer.tokenize("Foo-Bar foo-bar a") == ["Foo-Bar", "foo", "-", "bar", "a"]
    write(tmp_path, {"tokenizer_config.json": {"never_split": ["zzz"]}})
    with pytest.raises(TextError, match=r"vocab\.txt: lacks 'zzz', which never_split"):
        read(tmp_path)


def test_without_basic_tokenization_only_blanks_separate(tmp_path: Path) -> None:
    config = {"do_basic_tokenize": False}
    write(tmp_path, {"vocab.txt": [*WORDS, "A", "a,", "##,"], "tokenizer_config.json": config})
    tokenizer = read(tmp_path)
    assert tokenizer.tokenize("a, A\x1cab,\u2003b") == ["a,", "A", "a", "##b", "##,", "b"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("do_lower_case", "yes"), ("strip_accents", 1), ("never_split", "a"), ("do_basic_tokenize", None)],
)
def test_a_setting_of_the_wrong_type_is_named(key: str, value: object, tmp_path: Path) -> None:
    write(tmp_path, {"vocab.txt": WORDS, "tokenizer_config.json": {key: value}})
    with pytest.raises(TextError, match=rf"tokenizer_config\.json: {key}={value!r}: must be"):
        read(tmp_path)


def test_tokenizer_json_follows_what_tokenizer_config_states(tmp_path: Path) -> None:
    small(tmp_path / "a", {"do_lower_case": False}).save_pretrained(tmp_path / "b")
    assert read(tmp_path / "b").tokenize("Hello") == ["Hello"]
    write(tmp_path / "b", {"tokenizer_config.json": {"do_lower_case": True}})
    assert read(tmp_path / "b").tokenize("Hello") == ["hello"]


def test_tokenizer_json_is_not_overruled_by_a_default_that_no_file_states(tmp_path: Path) -> None:
    # transformers 4.57 would lower-case here, because do_lower_case is true where nothing says otherwise.
    small(tmp_path / "a", {"do_lower_case": False}).save_pretrained(tmp_path / "b")
    (tmp_path / "b" / "tokenizer_config.json").unlink()
    assert read(tmp_path / "b").tokenize("Hello") == ["Hello"]


def test_a_family_can_have_other_files_templates_and_roles(tmp_path: Path) -> None:
    facts = TextFacts(tokenizer_class="X", special_tokens={"unk_token": "[UNK]", "sep_token": "[SEP]"})
    recipe = wordpiece_recipe(
        facts, "prophetnet.tokenizer", single="$A sep_token:2", pair="$A sep_token $B:1 sep_token:1"
    )
    tokenizer = read(write(tmp_path, {"prophetnet.tokenizer": WORDS}), recipe)
    assert tokenizer("a").input_ids == [5, 3]
    assert tokenizer("a", "b", return_token_type_ids=True).token_type_ids == [0, 0, 1, 1]
    assert tokenizer("a", return_token_type_ids=True).token_type_ids == [0, 2]
    tokenizer.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "prophetnet.tokenizer").read_text().splitlines() == WORDS
