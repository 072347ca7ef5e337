"""BPE of words: pieces with a mark on the last, merges by way of pieces that have no id, what is saved of them."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from tokenizers import NormalizedString, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from tests.core.text.folders import read, write
from tfx_core.errors import TextError
from tfx_core.text import Settings, TextFacts
from tfx_core.text.python_steps import Steps, set_apart
from tfx_core.text.recipes import word_bpe_recipe

FACTS = TextFacts("ToyTokenizer", {"bos_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})
LETTERS = [letter + end for letter in "abcdefg" for end in ("", "</w>")]
PIECES = ["ab", "abc", "abcd</w>", "ef</w>"]
MERGES = ["a b", "ab c", "abc d</w>", "e f</w>"]
TEXTS = ["abcd ef", "abc", "abcdabcd a", "ab x</s>", "", "  ef\tef ", "Aé"]


class Doubled:
    """A step in Python: every letter "g" twice."""

    def normalize(self, text: NormalizedString) -> None:
        text.replace("g", "gg")


def small_letters(settings: Settings) -> Steps:
    return [normalizers.Lowercase()] if settings.flag("small") else []


def doubled(settings: Settings) -> Steps:
    return [normalizers.Lowercase(), Doubled()]


def marks_apart(settings: Settings) -> Steps:
    return [pre_tokenizers.BertPreTokenizer()] if settings.flag("small") else [pre_tokenizers.Split(" ", "removed")]


def recipe(clean: Any = small_letters, **parts: Any) -> Any:
    return word_bpe_recipe(
        FACTS,
        single="bos_token $A sep_token",
        pair="bos_token $A sep_token $B:1 sep_token:1",
        clean=clean,
        options={"small": True},
        **parts,
    )


RECIPE = recipe()


def vocabulary(lacking: tuple[str, ...] = ()) -> dict[str, int]:
    tokens = ["<s>", "</s>", "<pad>", "<unk>", *LETTERS, *PIECES]
    return {token: number for number, token in enumerate(token for token in tokens if token not in lacking)}


def released(folder: Path, lacking: tuple[str, ...] = (), **files: object) -> Path:
    return write(folder, {"vocab.json": vocabulary(lacking), "merges.txt": MERGES, **files})


def test_words_are_cut_into_pieces_of_which_the_last_is_marked(tmp_path: Path) -> None:
    tokens = read(released(tmp_path), RECIPE)
    assert tokens("abcd ab c").tokens() == ["<s>", "abcd</w>", "a", "b</w>", "c</w>", "</s>"]
    assert tokens("Abcde x").tokens() == ["<s>", "abc", "d", "e</w>", "<unk>", "</s>"]
    assert tokens("a", "b").tokens() == ["<s>", "a</w>", "</s>", "b</w>", "</s>"]
    assert tokens.decode(tokens("abcd ab  ef").input_ids, skip_special_tokens=True) == "abcd ab ef"
    assert read(tmp_path, RECIPE, small=False)("A", add_special_tokens=False).tokens() == ["<unk>"]


def test_a_family_says_what_ends_a_word(tmp_path: Path) -> None:
    apart = recipe(split=marks_apart)
    tokens = read(released(tmp_path / "released"), apart)
    assert tokens("abcd,ef", add_special_tokens=False).tokens() == ["abcd</w>", "<unk>", "ef</w>"]
    tokens.save_pretrained(tmp_path / "saved")
    for small, found in ((True, ["a</w>", "<unk>", "a</w>"]), (False, ["a", "<unk>", "a</w>"])):
        for folder in ("released", "saved"):
            again = read(tmp_path / folder, apart, small=small)
            assert again("a,a", add_special_tokens=False).tokens() == found


@pytest.mark.parametrize(
    ("text", "starts", "found"),
    [("abc", [1, 2], "a b c"), ("a\ufff0b", [0, 1], "a b"), ("", [], ""), ("a\nb", [2], "a\n b")],
)
def test_words_are_set_apart(text: str, starts: list[int], found: str) -> None:
    normalized = NormalizedString(text)
    set_apart(normalized, lambda written: starts)
    assert normalized.normalized == found


@pytest.mark.parametrize("columns", ["{} {} 12", "{} {}"])
def test_merges_may_be_counted(columns: str, tmp_path: Path) -> None:
    lines = [columns.format(*merge.split()) for merge in MERGES]
    plain = read(released(tmp_path / "plain"), RECIPE)
    tokens = read(released(tmp_path / "counted", **{"merges.txt": lines}), RECIPE)
    assert tokens(TEXTS).input_ids == plain(TEXTS).input_ids


def test_a_piece_without_an_id_leads_to_longer_ones_and_is_unknown_alone(tmp_path: Path) -> None:
    tokens = read(released(tmp_path, lacking=("ab", "abc")), RECIPE)
    assert len(tokens) == len(vocabulary(("ab", "abc")))
    batch = tokens("abcd abce a", add_special_tokens=False, return_offsets_mapping=True)
    assert batch.tokens() == ["abcd</w>", "<unk>", "e</w>", "a</w>"]
    assert batch.word_ids() == [0, 1, 1, 2]
    assert batch.offset_mapping == [(0, 4), (5, 8), (8, 9), (10, 11)]
    assert tokens.add_tokens("<new>") == 1
    assert tokens.convert_tokens_to_ids("<new>") == len(tokens) - 1
    assert tokens("abcd<new>", add_special_tokens=False, truncation=True, max_length=9).tokens() == [
        "abcd</w>",
        "<new>",
    ]


@pytest.mark.parametrize("lacking", [(), ("ab",), ("abc",), ("a",), ("abcd</w>",)])
@pytest.mark.parametrize("clean", [small_letters, doubled])
def test_saving_and_pickling_keep_the_ids(lacking: tuple[str, ...], clean: Any, tmp_path: Path) -> None:
    tokens = read(released(tmp_path / "released", lacking), recipe(clean))
    tokens.add_tokens("<new>")
    texts = [*TEXTS, "abcg <new>"]
    again = pickle.loads(pickle.dumps(tokens))
    assert again(texts).input_ids == tokens(texts).input_ids
    assert again.add_tokens("<newer>") == 1
    assert pickle.loads(pickle.dumps(again))(texts).input_ids == tokens(texts).input_ids
    written = {Path(path).name for path in tokens.save_pretrained(tmp_path / "saved")}
    assert {"vocab.json", "merges.txt"} <= written
    assert ("tokenizer.json" in written) is (not lacking and clean is small_letters)
    assert read(tmp_path / "saved", recipe(clean))(texts).input_ids == tokens(texts).input_ids


def test_the_tokenizers_library_alone_reads_the_same_ids(tmp_path: Path) -> None:
    tokens = read(released(tmp_path / "released"), RECIPE)
    tokens.save_pretrained(tmp_path / "saved")
    alone = Backend.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    assert [each.ids for each in alone.encode_batch(TEXTS)] == tokens(TEXTS).input_ids


def test_an_option_goes_over_tokenizer_json(tmp_path: Path) -> None:
    read(released(tmp_path / "released"), RECIPE).save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved", RECIPE)("A", add_special_tokens=False).tokens() == ["a</w>"]
    assert read(tmp_path / "saved", RECIPE, small=False)("A", add_special_tokens=False).tokens() == ["<unk>"]


def test_a_family_s_options_are_attributes_of_its_tokenizer(tmp_path: Path) -> None:
    tokens = read(released(tmp_path), RECIPE, small=False)
    assert tokens.small is False
    assert pickle.loads(pickle.dumps(tokens)).small is False
    with pytest.raises(AttributeError, match="has no 'large'"):
        tokens.large  # noqa: B018


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"merges.txt": "a b\nab\n"}, r"merges\.txt, line 2: 'ab' is no pair of tokens"),
        ({"merges.txt": "x y\ny z\n"}, r"merges\.txt: none of its 2 merges joins pieces of vocab\.json"),
        ({"merges.txt": b""}, r"merges\.txt: is empty"),
        ({"merges.txt": "a b 1 2\n"}, r"merges\.txt, line 1: 'a b 1 2' is no pair of tokens"),
        ({"merges.txt": b"a b\n\xff\n"}, r"merges\.txt: byte 4 is not UTF-8"),
        ({"merges.txt": f"a {'b' * 20_000}\n"}, r"merges\.txt: the token .* has 20000 characters"),
        ({"vocab.json": json.dumps({"<s>": 0, "</s>": 1, "a": 2})}, r"vocab\.json: lacks '<unk>', the unk_token"),
        ({"vocab.json": json.dumps({"<unk>": 0, "a": 2})}, r"vocab\.json: no token has the id 1"),
        ({"vocab.json": "[]"}, r"vocab\.json"),
    ],
)
def test_damaged_files_are_errors_that_name_file_and_place(
    files: dict[str, object], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(TextError, match=problem):
        read(released(tmp_path, **files), RECIPE)


def not_cleaned(settings: Settings) -> Steps:
    return []


MARKED = word_bpe_recipe(
    TextFacts("ToyTokenizer", {"unk_token": "<unk>"}),
    single="$A",
    pair="$A $B:1",
    clean=not_cleaned,
    continued="@@",
)
MARKED_TOKENS = ["<unk>", *"abcdef@", *(f"{letter}@@" for letter in "abcdef@"), "ab@@", "abcd", "ef"]


def marked(folder: Path, lacking: tuple[str, ...] = (), **files: object) -> Path:
    tokens = [token for token in MARKED_TOKENS if token not in lacking]
    numbers = {token: number for number, token in enumerate(tokens)}
    return write(folder, {"vocab.json": numbers, "merges.txt": ["#version: 0.2", *MERGES, "@ @</w>"], **files})


def test_the_pieces_before_the_last_may_be_marked_instead(tmp_path: Path) -> None:
    tokens = read(marked(tmp_path), MARKED)
    assert tokens.tokenize("abcd ab abe x") == ["abcd", "a@@", "b", "ab@@", "e", "<unk>"]
    assert tokens.tokenize("abcf") == ["<unk>", "f"]  # by way of abc, which has no id
    assert tokens.tokenize("ef xé") == ["ef", "<unk>", "<unk>"]
    assert tokens.tokenize("f@@ @@") == ["f@@", "<unk>", "<unk>"]
    batch = tokens("abe  xab", return_offsets_mapping=True)
    assert batch.offset_mapping == [(0, 2), (2, 3), (5, 6), (6, 7), (7, 8)]
    assert [tokens.get_vocab()[token] for token in batch.tokens()] == batch.input_ids
    assert tokens.decode(tokens("abcd abe ab").input_ids) == "abcd abe ab"
    assert tokens.decode(tokens.convert_tokens_to_ids(["a", "ab@@"])) == "a ab"


def test_a_blank_that_is_a_letter_joins_nothing(tmp_path: Path) -> None:
    lines = ["#version: 0.2", *MERGES, "\u00a0 a", "\u00a0a b", "e \u00a0", "\u00a0e f\r"]
    tokens = read(marked(tmp_path, **{"merges.txt": lines}), MARKED)
    assert tokens.tokenize("abcd ab efa e\u00a0f") == ["abcd", "a@@", "b", "e@@", "f@@", "a", "e", "f"]


def test_marked_pieces_are_saved_and_pickled(tmp_path: Path) -> None:
    tokens = read(marked(tmp_path / "released"), MARKED)
    tokens.add_tokens("<new>")
    tokens.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved/tokenizer.json").exists()
    again = read(tmp_path / "saved", MARKED)
    for each in (again, pickle.loads(pickle.dumps(again))):
        assert each(TEXTS).input_ids == tokens(TEXTS).input_ids
        assert each.tokenize("a<new>b") == ["a", "<new>", "b"]
