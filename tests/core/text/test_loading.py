"""Which files a tokenizer is made of, which of them wins, and what is said of files that cannot be used."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend
from tokenizers.models import WordLevel
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import ByteLevel, PreTokenizer, WhitespaceSplit

from tests.core.text.folders import BERT, VOCABULARY, read, small, write
from tfx_core.checkpoint import Folder, open_folder
from tfx_core.errors import CheckpointError, TextError
from tfx_core.plugins.specs import ArchitectureSpec
from tfx_core.text import UNLIMITED, Recipe, Settings, TextFacts, family_of, read_tokenizer, tokenizer_class
from tfx_core.text.recipes import wordpiece_recipe

WORDS = ["<unk>", "<s>", "</s>", "<pad>", "a", "b", ".", "n't"]


def words_json(**parts: Any) -> str:
    backend = Backend(WordLevel({token: number for number, token in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = WhitespaceSplit()
    for name, part in parts.items():
        setattr(backend, name, part)
    return backend.to_str()


def test_a_tokenizer_json_of_no_known_family(tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path, {"tokenizer.json": words_json()}), None)
    assert tokenizer("a b x").input_ids == [4, 5, 0]
    assert tokenizer.special_tokens_map == {}
    assert tokenizer.model_max_length == UNLIMITED
    assert tokenizer.model_input_names == ("input_ids", "token_type_ids", "attention_mask")


def test_added_tokens_of_no_known_family_are_found_as_they_stand(tmp_path: Path) -> None:
    backend = Backend.from_str(words_json(normalizer=BertNormalizer()))
    backend.add_tokens([AddedToken("é"), AddedToken("\n")])
    tokenizer = read(write(tmp_path, {"tokenizer.json": backend.to_str()}), None)
    assert tokenizer("a é\nb e b").input_ids == [4, 8, 9, 5, 0, 5]


def test_truncation_and_padding_that_a_file_was_saved_with_are_not_in_force(tmp_path: Path) -> None:
    backend = Backend.from_str(words_json())
    backend.enable_truncation(2)
    backend.enable_padding(length=7, pad_token="<pad>", pad_id=3)
    tokenizer = read(write(tmp_path, {"tokenizer.json": backend.to_str()}), None)
    assert tokenizer(["a b a", "a"]).input_ids == [[4, 5, 4], [4]]


def test_english_spacing_is_cleaned_up_where_asked(tmp_path: Path) -> None:
    config = {"clean_up_tokenization_spaces": True}
    tokenizer = read(write(tmp_path, {"tokenizer.json": words_json(), "tokenizer_config.json": config}), None)
    assert tokenizer.decode([4, 7, 5, 6]) == "an't b."
    assert tokenizer.decode([4, 7, 5, 6], clean_up_tokenization_spaces=False) == "a n't b ."
    assert read(tmp_path, None, clean_up_tokenization_spaces=False).batch_decode([[4, 6]]) == ["a ."]


def test_tokenizer_json_goes_before_the_legacy_files(tmp_path: Path) -> None:
    small(tmp_path / "saved").save_pretrained(tmp_path / "folder")
    write(tmp_path / "folder", {"vocab.txt": VOCABULARY[::-1]})
    assert read(tmp_path / "folder")("hello").input_ids == small(tmp_path / "other")("hello").input_ids


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "EOF while parsing"),
        (b"{not json", "line 1 column 2"),
        (b'{"model": {"type": "Nothing"}}', "ModelUntagged"),
        (b"\xff\xfe{}", "byte 0 is not UTF-8"),
    ],
)
def test_a_damaged_tokenizer_json_is_named_with_the_reason(contents: bytes, reason: str, tmp_path: Path) -> None:
    write(tmp_path, {"tokenizer.json": contents})
    with pytest.raises(TextError, match=rf"{tmp_path}/tokenizer\.json: .*{reason}.*; copy the file again"):
        read(tmp_path)


def test_no_recipe_is_guessed(tmp_path: Path) -> None:
    write(tmp_path, {"vocab.txt": VOCABULARY, "tokenizer_config.json": {"tokenizer_class": "NovelTokenizer"}})
    with pytest.raises(
        TextError, match=r"there is no tokenizer\.json, and no installed architecture .* NovelTokenizer;"
    ):
        read(tmp_path, None)


def test_the_class_that_a_folder_names(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    assert tokenizer_class(folder) is None
    write(tmp_path, {"config.json": {"tokenizer_class": "BertJapaneseTokenizer"}})
    assert tokenizer_class(folder) == "BertJapaneseTokenizer"
    write(tmp_path, {"tokenizer_config.json": {"tokenizer_class": "XLMRobertaTokenizerFast"}})
    assert tokenizer_class(folder) == "XLMRobertaTokenizer"
    write(tmp_path, {"tokenizer_config.json": {"tokenizer_class": 3}})
    with pytest.raises(TextError, match=r"tokenizer_config\.json: tokenizer_class is 3"):
        tokenizer_class(open_folder(tmp_path))


GENERAL = ("PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend", "PythonBackend")

ARCHITECTURES = (
    ArchitectureSpec("bert", "x:y", tokenizer_classes=("BertTokenizer", "BertTokenizerFast")),
    ArchitectureSpec("electra", "x:y", tokenizer_classes=("ElectraTokenizer", "BertTokenizer")),
    ArchitectureSpec("xlm-roberta", "x:y", tokenizer_classes=("XLMRobertaTokenizerFast",)),
)


@pytest.mark.parametrize(
    ("model_type", "named", "family"),
    [
        ("bert", None, ("bert", "bert")),
        ("bert", "BertTokenizer", ("bert", "bert")),
        ("electra", "BertTokenizerFast", ("electra", "electra")),  # its own recipe, where it serves the class
        *(("bert", general, ("bert", "bert")) for general in GENERAL),
        (None, "BertTokenizer", ("bert", "bert")),
        *((None, general, (None, None)) for general in GENERAL),
        (None, "T5Tokenizer", (None, None)),
        (None, None, (None, None)),
        ("t5", "T5Tokenizer", ("t5", "t5")),  # not installed: looking it up says how to install it
        ("t5", "BertTokenizer", ("t5", "t5")),
    ],
)
def test_the_family_of_a_tokenizer(
    model_type: str | None, named: str | None, family: tuple[str | None, str | None], tmp_path: Path
) -> None:
    write(tmp_path, {"config.json": {"model_type": model_type} if model_type else {}})
    write(tmp_path, {"tokenizer_config.json": {"tokenizer_class": named}})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert family_of(open_folder(tmp_path), ARCHITECTURES) == family


@pytest.mark.parametrize(
    ("named", "files", "readers"),
    [
        ("XLMRobertaTokenizer", "xlm-roberta", "'xlm-roberta'"),
        ("BertJapaneseTokenizer", None, "no installed architecture"),
    ],
)
def test_a_class_of_another_family_reads_the_files_and_leaves_the_rest_to_the_model(
    named: str, files: str | None, readers: str, tmp_path: Path
) -> None:
    write(tmp_path, {"config.json": {"model_type": "bert"}, "tokenizer_config.json": {"tokenizer_class": named}})
    said = rf"^{tmp_path}: the tokenizer class '{named}' is none of model_type 'bert'; its files are read as those of "
    with pytest.warns(UserWarning, match=f"{said}{readers}, and inputs and padding are those of 'bert'$"):
        assert family_of(open_folder(tmp_path), ARCHITECTURES) == ("bert", files)


def test_what_a_model_takes_comes_from_the_facts_of_its_family(tmp_path: Path) -> None:
    model = TextFacts("M", {"pad_token": "<pad>"}, ("<m>",), ("input_ids",), "left", pad_token_type_id=3)
    write(tmp_path, {"tokenizer.json": words_json()})
    own = TextFacts("X", {"unk_token": "<unk>"}, model_input_names=("input_ids", "token_type_ids"), question_first=True)
    for recipe, pad in ((Recipe(own), None), (None, "<pad>")):
        tokenizer = read_tokenizer(open_folder(tmp_path), recipe, model)
        assert tokenizer.model_input_names == ("input_ids",)
        assert (tokenizer.padding_side, tokenizer.pad_token_type_id) == ("left", 3)
        assert tokenizer.question_first is False
        assert tokenizer.pad_token == pad


@pytest.mark.parametrize("general", GENERAL)
def test_a_general_class_is_written_under_the_name_that_all_versions_know(general: str, tmp_path: Path) -> None:
    write(tmp_path, {"tokenizer.json": words_json(), "tokenizer_config.json": {"tokenizer_class": general}})
    read(tmp_path, Recipe(TextFacts("X"))).save_pretrained(tmp_path / "saved")
    written = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert written["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_settings_come_from_the_caller_then_the_files_then_the_family(tmp_path: Path) -> None:
    facts = TextFacts("X", special_tokens={"unk_token": "<unk>", "pad_token": "<pad>"}, padding_side="left")
    recipe = wordpiece_recipe(facts, single="$A", pair="$A $B")
    files: dict[str, Any] = {"tokenizer.json": words_json()}
    assert read(write(tmp_path, files), recipe).padding_side == "left"
    assert read(tmp_path, recipe).model_input_names == ("input_ids", "attention_mask")
    config = {"padding_side": "right", "model_max_length": 9, "pad_token": "<s>", "truncation_side": "left"}
    tokenizer = read(write(tmp_path, {"tokenizer_config.json": config}), recipe)
    assert (tokenizer.padding_side, tokenizer.truncation_side) == ("right", "left")
    assert (tokenizer.model_max_length, tokenizer.pad_token) == (9, "<s>")
    write(
        tmp_path, {"special_tokens_map.json": {"pad_token": "</s>", "eos_token": {"content": "</s>", "lstrip": True}}}
    )
    assert (read(tmp_path, recipe).pad_token, read(tmp_path, recipe).eos_token) == ("</s>", "</s>")
    tokenizer = read(tmp_path, recipe, pad_token="<unk>", model_max_length=5, padding_side="left")
    assert (tokenizer.pad_token, tokenizer.model_max_length, tokenizer.padding_side) == ("<unk>", 5, "left")
    assert read(write(tmp_path, {"tokenizer_config.json": {"max_len": 12}}), recipe).model_max_length == 12


def test_a_recipe_can_be_facts_alone(tmp_path: Path) -> None:
    facts = TextFacts("X", {"unk_token": "<unk>"}, padding_side="left", question_first=False)
    with pytest.raises(TextError, match=r"there is no tokenizer; it needs tokenizer\.json$"):
        read(write(tmp_path, {"vocab.txt": WORDS}), Recipe(facts))
    write(tmp_path, {"tokenizer.json": words_json()})
    tokenizer = read(tmp_path, Recipe(facts, options={"wordy": True}), wordy=False)
    assert (tokenizer.padding_side, tokenizer.unk_token, tokenizer.question_first) == ("left", "<unk>", False)
    tokenizer.save_pretrained(tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert (config["tokenizer_class"], config["wordy"]) == ("X", False)
    assert read(tmp_path / "saved", Recipe(facts))("a b").input_ids == tokenizer("a b").input_ids


def test_a_recipe_that_builds_from_files_is_a_value_too(tmp_path: Path) -> None:
    def build(folder: Folder, settings: Settings) -> Backend:
        words = folder.require("words").read_text().split()
        return Backend(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))

    facts = TextFacts("X", {"unk_token": "<unk>"})
    write(tmp_path, {"words": "<unk> a"})
    assert read(tmp_path, Recipe(facts, files=(("words",),), build=build))("a").input_ids == [1]
    with pytest.raises(TextError, match="the recipe of its family names files, but no build that reads them"):
        read(tmp_path, Recipe(facts, files=(("words",),)))


def test_where_a_question_stands_follows_the_padding_unless_the_family_says_it(tmp_path: Path) -> None:
    write(tmp_path, {"tokenizer.json": words_json()})
    assert [read(tmp_path, None, padding_side=side).question_first for side in ("left", "right")] == [False, True]
    asking_last = Recipe(TextFacts("X", {"unk_token": "<unk>"}, question_first=False))
    assert read(tmp_path, asking_last, padding_side="right").question_first is False


def test_a_token_that_the_caller_names_is_added(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    tokenizer = read(tmp_path, bos_token="<s>", additional_special_tokens=["[E1]", AddedToken("[E2]", lstrip=True)])
    assert tokenizer.bos_token_id == len(VOCABULARY)
    assert tokenizer.convert_tokens_to_ids(["[E1]", "[E2]"]) == [len(VOCABULARY) + 1, len(VOCABULARY) + 2]
    assert tokenizer("a   [E2]b").offsets()[2] == (1, 8)  # with the blanks before it


def test_added_tokens_decoder_makes_the_older_files_void(tmp_path: Path) -> None:
    size = len(VOCABULARY)
    entry = {"content": "<new>", "lstrip": False, "rstrip": False, "normalized": True, "single_word": False}
    files: dict[str, Any] = {
        "vocab.txt": VOCABULARY,
        "tokenizer_config.json": {"added_tokens_decoder": {str(size): entry}, "pad_token": "[PAD]"},
        "special_tokens_map.json": {"pad_token": "[SEP]"},
        "added_tokens.json": {"<old>": size},
    }
    tokenizer = read(write(tmp_path, files))
    assert tokenizer.get_added_vocab()["<new>"] == size
    assert tokenizer.pad_token == "[PAD]"
    files["tokenizer_config.json"] = {}
    tokenizer = read(write(tmp_path, files))
    assert tokenizer.get_added_vocab()["<old>"] == size
    assert tokenizer.pad_token == "[SEP]"


def test_the_flags_of_a_role_s_token(tmp_path: Path) -> None:
    facts = TextFacts("X", special_tokens={"unk_token": "<unk>", "mask_token": AddedToken("<mask>", lstrip=True)})
    recipe = wordpiece_recipe(facts, single="$A", pair="$A $B")
    vocabulary = ["<unk>", "<mask>", "<m>", "a"]
    write(tmp_path, {"vocab.txt": vocabulary})

    def lstrip() -> bool:
        return bool(next(t for t in read(tmp_path, recipe).added_tokens_decoder.values() if "m" in t.content).lstrip)

    assert lstrip()  # the family's
    write(tmp_path, {"tokenizer_config.json": {"mask_token": "<m>"}})
    assert lstrip()  # the family's, for another token
    write(tmp_path, {"tokenizer_config.json": {"mask_token": {"content": "<m>", "__type": "AddedToken"}}})
    assert not lstrip()  # the file's own
    write(tmp_path, {"tokenizer_config.json": {"mask_token": None}})
    assert read(tmp_path, recipe).mask_token is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"tokenizer_config.json": {"padding_side": "middle"}},
            r'padding_side is \'middle\'; it must be "left" or "right"',
        ),
        ({"tokenizer_config.json": {"model_max_length": "512"}}, r"model_max_length is '512'; it must be a number"),
        ({"tokenizer_config.json": {"model_max_length": 0}}, r"model_max_length is 0"),
        ({"tokenizer_config.json": {"model_input_names": "x"}}, r"model_input_names is 'x'; it must be a list"),
        ({"tokenizer_config.json": {"clean_up_tokenization_spaces": "no"}}, r"must be true or false"),
        ({"tokenizer_config.json": {"pad_token": 3}}, r"pad_token is 3; it must be a token or an object like"),
        ({"tokenizer_config.json": {"pad_token": {"content": "a", "lstrip": 1}}}, r"pad_token: lstrip is 1"),
        ({"tokenizer_config.json": {"additional_special_tokens": "x"}}, r"additional_special_tokens is 'x'"),
        (
            {"tokenizer_config.json": {"added_tokens_decoder": []}},
            r"added_tokens_decoder is \[\]; it must be an object",
        ),
        ({"tokenizer_config.json": {"added_tokens_decoder": {"x": "a"}}}, r"has the key 'x'"),
        ({"added_tokens.json": {"<x>": "y"}}, r"added_tokens\.json: '<x>' has the id 'y'"),
        ({"added_tokens.json": {"<x>": 400, "<y>": 400}}, r"'<y>' and '<x>' have the same id 400"),
        ({"added_tokens.json": {"<x>": 9999}}, r"'<x>' should have the id 9999, but the vocabulary gives it \d+"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(files: dict[str, Any], message: str, tmp_path: Path) -> None:
    write(tmp_path, {"vocab.txt": VOCABULARY, **files})
    with pytest.raises(TextError, match=rf"{tmp_path}.*{message}"):
        read(tmp_path)


def test_a_settings_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"vocab.txt": VOCABULARY, "tokenizer_config.json": b"{"})
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json: line 1"):
        read(tmp_path)


def test_an_unknown_option_is_a_type_error_that_names_the_known_ones(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(TypeError, match=r"load_tokenizer takes no 'lower', 'quick': it takes .*do_lower_case"):
        read(tmp_path, quick=True, lower=True)
    with pytest.raises(TypeError, match="takes no 'paddingside': did you mean 'padding_side'"):
        read(tmp_path, paddingside="left")
    with pytest.raises(TypeError, match="load_tokenizer takes no 'do_lower_case'"):
        read(write(tmp_path, {"tokenizer.json": words_json()}), None, do_lower_case=True)


def test_words_need_the_blank_that_marks_their_start(tmp_path: Path) -> None:
    write(tmp_path, {"tokenizer.json": words_json(pre_tokenizer=ByteLevel(add_prefix_space=False))})
    with pytest.raises(TextError, match=r"load_tokenizer\(…, add_prefix_space=True\)"):
        read(tmp_path, None)(["a", "b"], is_split_into_words=True)
    write(tmp_path, {"tokenizer.json": words_json(pre_tokenizer=ByteLevel(add_prefix_space=True))})
    assert len(read(tmp_path, None)(["a", "b"], is_split_into_words=True).input_ids) == 2


def test_saving_writes_what_reads_back_the_same(tmp_path: Path) -> None:
    config = {"do_lower_case": False, "model_max_length": 77, "padding_side": "left", "name_or_path": "x", "note": [1]}
    tokenizer = small(tmp_path / "a", config)
    tokenizer.add_tokens([AddedToken("<e>", lstrip=True), "word"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E1]"], "bos_token": "<s>"})
    tokenizer.mask_token = None
    paths = tokenizer.save_pretrained(tmp_path / "b")
    assert sorted(Path(path).name for path in paths) == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert (tmp_path / "b" / "vocab.txt").read_bytes() == (tmp_path / "a" / "vocab.txt").read_bytes()
    written = json.loads((tmp_path / "b" / "tokenizer_config.json").read_text())
    assert written["note"] == [1]
    assert written["mask_token"] is None
    assert "name_or_path" not in written
    assert written["tokenizer_class"] == "BertTokenizer"
    texts = ["Hello  <e> word [E1]<s>", "[MASK]"]
    for names in ([], ["tokenizer.json"]):
        for name in names:
            (tmp_path / "b" / name).unlink()
        again = read(tmp_path / "b")
        assert again(texts).input_ids == tokenizer(texts).input_ids
        assert again.special_tokens_map == tokenizer.special_tokens_map
        assert again.mask_token is None
        assert (again.model_max_length, again.padding_side) == (77, "left")
        assert again.get_vocab() == tokenizer.get_vocab()


def test_saving_over_an_older_tokenizer_leaves_nothing_of_it(tmp_path: Path) -> None:
    tokenizer = small(tmp_path / "a")
    small(tmp_path / "b").save_pretrained(tmp_path / "c")
    tokenizer.add_tokens("<old>")
    tokenizer.save_pretrained(tmp_path / "c")
    assert (tmp_path / "c" / "added_tokens.json").exists()
    write(tmp_path / "c", {"config.json": {"model_type": "bert"}})
    small(tmp_path / "b").save_pretrained(tmp_path / "c")
    assert not (tmp_path / "c" / "added_tokens.json").exists()
    assert (tmp_path / "c" / "config.json").exists()
    assert read(tmp_path / "c").get_vocab() == small(tmp_path / "b").get_vocab()


def test_a_tokenizer_is_saved_over_the_folder_that_it_was_read_from(tmp_path: Path) -> None:
    tokenizer = small(tmp_path)
    tokenizer.add_tokens("<new>")
    tokenizer.save_pretrained(tmp_path)
    assert read(tmp_path)("hello <new>").input_ids == tokenizer("hello <new>").input_ids


class SplitAtPlus:
    """A pre-tokenizer in Python, which ``tokenizer.json`` cannot hold."""

    def pre_tokenize(self, pretokenized: Any) -> None:
        pretokenized.split(lambda index, text: text.split("+", "removed"))


def python_parts(folder: Folder, settings: Settings) -> Backend:
    """A tokenizer with a part in Python, as those of Moses-style vocabularies are."""
    backend = BERT.build(folder, settings)
    backend.pre_tokenizer = PreTokenizer.custom(SplitAtPlus())
    return backend


PYTHON_PARTS = replace(BERT, build=python_parts)
NO_LEGACY_FILES = replace(PYTHON_PARTS, legacy_files=lambda tokenizer, settings: {})


def test_parts_in_python_are_saved_as_legacy_files_alone(tmp_path: Path) -> None:
    small(tmp_path / "a").save_pretrained(tmp_path / "b")
    tokenizer = read(tmp_path / "a", PYTHON_PARTS)
    assert tokenizer.tokenize("hello+the") == ["hello", "the"]
    assert tokenizer("hello+the+quick", truncation=True, max_length=4).tokens() == ["[CLS]", "hello", "the", "[SEP]"]
    tokenizer.add_tokens("<new>")
    tokenizer.save_pretrained(tmp_path / "b")
    assert not (tmp_path / "b" / "tokenizer.json").exists()  # the older one would be read in its place
    again = read(tmp_path / "b", PYTHON_PARTS)
    assert again("hello+the <new>").input_ids == tokenizer("hello+the <new>").input_ids
    with pytest.raises(TextError, match=r"has parts that no file can hold: .*Custom PreTokenizer"):
        read(tmp_path / "a", NO_LEGACY_FILES).save_pretrained(tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    tokenizer = small(tmp_path / "a")
    (tmp_path / "file").write_text("x")
    with pytest.raises(TextError) as caught:
        tokenizer.save_pretrained(tmp_path / "file")
    assert str(caught.value) == (
        f"{tmp_path}/file: could not be saved: Not a directory: {tmp_path}/file is a file; what was there before is "
        "unchanged"
    )


def test_no_name_is_no_folder_and_a_tilde_is_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = small(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(TextError, match="an empty string names no place to save to"):
        tokenizer.save_pretrained("")
    assert str(tmp_path / "home" / "b" / "tokenizer.json") in tokenizer.save_pretrained("~/b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "home"]
