"""Texts of XLM and FlauBERT: languages, their numbers, words that are not written apart."""

import copy
import json
import pickle
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend

from tests.core.text.folders import read, write
from tfx_core.errors import TextError
from tfx_core.text import Tokenizer
from tfx_encoders.flaubert.text import RECIPE as FLAUBERT
from tfx_encoders.xlm import segmenters
from tfx_encoders.xlm.languages import language
from tfx_encoders.xlm.text import LANGUAGES
from tfx_encoders.xlm.text import RECIPE as XLM
from tfx_testing.vocabularies import word_bpe

SPECIAL = ("<s>", "</s>", "<pad>", "<unk>", *(f"<special{number}>" for number in range(10)))


def released(folder: Path, recipe: Any = XLM, config: object = None, **options: object) -> Tokenizer:
    return read(write(folder, {**word_bpe(SPECIAL), "tokenizer_config.json": config or {}}), recipe, **options)


def test_special_tokens_have_the_first_ids_and_their_roles(tmp_path: Path) -> None:
    tokens = released(tmp_path)
    assert tokens("ab c").tokens() == ["<s>", "ab</w>", "c</w>", "</s>"]
    assert tokens("ab", "c").tokens() == ["<s>", "ab</w>", "</s>", "c</w>", "</s>"]
    assert tokens("ab", "c").token_type_ids == [0, 0, 0, 1, 1]
    assert tokens.convert_tokens_to_ids([*SPECIAL]) == [*range(14)]
    assert (tokens.mask_token, tokens.cls_token, tokens.sep_token) == ("<special1>", "</s>", "</s>")
    assert tokens("a <special1>.", add_special_tokens=False).input_ids[1] == 5


def test_letters_are_small_and_without_accents_unless_the_folder_says_otherwise(tmp_path: Path) -> None:
    assert released(tmp_path)("ÀBÇ").tokens() == ["<s>", "abc</w>", "</s>"]
    config = {"do_lowercase_and_remove_accent": False}
    assert released(tmp_path, config=config)("Abc").tokens() == ["<s>", "A", "b", "c</w>", "</s>"]
    assert released(tmp_path, FLAUBERT)("Abc").tokens() == ["<s>", "A", "b", "c</w>", "</s>"]
    assert released(tmp_path, FLAUBERT, do_lowercase=True)("ABC").tokens() == ["<s>", "abc</w>", "</s>"]


def words(tokens: Tokenizer, text: str) -> list[str]:
    return tokens.decode(tokens(text).input_ids, skip_special_tokens=True).split()


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("en", "don't a", "don 't a"),
        ("fr", "l'eau a", "l' eau a"),
        ("de", "ne'er a", "ne ' er a"),
        ("ro", "și Țară", "si tara"),
    ],
)
def test_words_are_those_of_the_language(code: str, text: str, expected: str, tmp_path: Path) -> None:
    assert words(released(tmp_path, language=code), text) == expected.split()


def test_french_words_are_flaubert_s(tmp_path: Path) -> None:
    assert words(released(tmp_path, FLAUBERT), "l'eau ``a'' M. X") == ["l'", "eau", '"', "a", '"', "M.", "X"]


def test_a_language_stays_with_the_folder_and_goes_over_it(tmp_path: Path) -> None:
    released(tmp_path / "a", language="fr").save_pretrained(tmp_path / "b")
    assert words(read(tmp_path / "b", XLM), "l'eau") == ["l'", "eau"]
    assert words(read(tmp_path / "b", XLM, language="en"), "l'eau") == ["l", "'eau"]
    assert json.loads((tmp_path / "b" / "tokenizer_config.json").read_text())["language"] == "fr"


def test_every_language_of_the_released_models_can_be_read(tmp_path: Path) -> None:
    assert len(LANGUAGES) == 100
    for code in LANGUAGES - segmenters.PACKAGES.keys():
        assert isinstance(language(code).abbreviations, frozenset)
    assert language("tr").abbreviations == language("en").abbreviations > language("bn").abbreviations


def test_languages_have_numbers(tmp_path: Path) -> None:
    tokens = released(tmp_path, config={"lang2id": {"de": 0, "en": 1}})
    assert tokens.lang2id["en"] == 1
    assert tokens.id2lang == {"0": "de", "1": "en"}
    assert released(tmp_path, config={"id2lang": {"0": "de", "1": "en"}}).lang2id == {"de": 0, "en": 1}
    assert released(tmp_path).lang2id is None
    assert released(tmp_path, config={"lang2id": {"de": 0}}).lang2id == {"de": 0}  # read as English, as there
    tokens.save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved", XLM).lang2id == tokens.lang2id


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"language": "xx"}, "tokenizer_config.json: language is 'xx'; this model knows af, als, .*, zh_yue"),
        ({"language": 3}, "language"),
        ({"lang2id": {"de": 0}, "language": "en"}, "language is 'en'; this model knows de$"),
        ({"lang2id": ["en"]}, r"lang2id is \['en'\]; it must give every language a number of its own"),
        ({"lang2id": {"en": "1"}}, "lang2id is .*number of its own"),
        ({"lang2id": {"en": True}}, "lang2id is .*number of its own"),
        ({"lang2id": {"en": -1}}, "lang2id is .*number of its own"),
        ({"lang2id": {"en": 0, "de": 0}}, "lang2id is .*number of its own"),
        ({"id2lang": {"0": 1}}, "id2lang is .*number of its own"),
        ({"id2lang": {"9" * 5000: "en"}}, "id2lang is .*number of its own"),
        ({"id2lang": {"x": "en"}}, "id2lang is .*number of its own"),
        ({"lang2id": {"en": 0}, "id2lang": {"1": "en"}}, "lang2id and id2lang number the languages in two ways"),
        ({"do_lowercase_and_remove_accent": 1}, "do_lowercase_and_remove_accent=1"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(config: object, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=problem):
        released(tmp_path, config=config)


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Modules that find a word at every capital letter and at every blank, in place of the packages."""

    def cut(text: str) -> list[str]:
        found = [""]
        for sign in text:
            found += [sign] if sign.isupper() or sign == " " or found[-1] == " " else [found.pop() + sign]
        return found

    model = tmp_path / "model.bin"
    model.touch()
    monkeypatch.setattr(segmenters, "KYTEA_MODELS", (str(model),))
    monkeypatch.setitem(sys.modules, "rjieba", SimpleNamespace(cut=cut))
    monkeypatch.setitem(sys.modules, "pythainlp", SimpleNamespace(word_tokenize=cut))
    monkeypatch.setitem(sys.modules, "Mykytea", SimpleNamespace(Mykytea=lambda options: SimpleNamespace(getWS=cut)))
    segmenters._cutter.cache_clear()


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("code", segmenters.PACKAGES)
def test_words_that_are_not_written_apart_are_found(code: str, tmp_path: Path) -> None:
    tokens = released(tmp_path, language=code, do_lowercase_and_remove_accent=False)
    batch = tokens("abAbc Ab（X）", return_offsets_mapping=True, add_special_tokens=False)
    found = ["ab", "Abc", "Ab", "(X)"] if code == "zh" else ["ab", "Abc", "Ab", "(", "X)"]
    assert words(tokens, "abAbc Ab（X）")[:3] == found[:3]
    assert batch.offset_mapping[:2] == [(0, 2), (2, 3)]
    assert tokens("").input_ids == [0, 1]


@pytest.mark.usefixtures("stand_ins")
def test_such_a_tokenizer_is_saved_without_a_tokenizer_json(tmp_path: Path) -> None:
    tokens = released(tmp_path / "a", language="th")
    written = {Path(path).name for path in tokens.save_pretrained(tmp_path / "b")}
    assert written == {"merges.txt", "special_tokens_map.json", "tokenizer_config.json", "vocab.json"}
    assert read(tmp_path / "b", XLM)("abAbc").input_ids == tokens("abAbc").input_ids


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("code", segmenters.PACKAGES)
def test_such_a_tokenizer_is_pickled(code: str, tmp_path: Path) -> None:
    tokens = released(tmp_path, language=code)
    again = pickle.loads(pickle.dumps(tokens))
    tokens.add_tokens("x")
    for each, other in (
        (copy.deepcopy(tokens), tokens),
        (pickle.loads(pickle.dumps(again)), released(tmp_path, language=code)),
    ):
        assert each("abAbc Abx").input_ids == other("abAbc Abx").input_ids


@pytest.mark.parametrize("code", segmenters.PACKAGES)
def test_a_package_that_is_not_there_is_named(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, module, package = segmenters.PACKAGES[code]
    monkeypatch.setitem(sys.modules, module, None)
    segmenters._cutter.cache_clear()
    problem = rf"language is '{code}', but {name} .* {package}, .*: pip install 'tfx-encoders\[segmenters\]'"
    with pytest.raises(TextError, match=problem):
        released(tmp_path, language=code)


@pytest.mark.usefixtures("stand_ins")
def test_a_model_of_kytea_that_is_not_there_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenters, "KYTEA_MODELS", ("~/nowhere/model.bin",))
    segmenters._cutter.cache_clear()
    with pytest.raises(TextError, match=r"language is 'ja', but KyTea's model is in none of ~/nowhere/model\.bin"):
        released(tmp_path, language="ja")


@pytest.mark.parametrize("recipe", [XLM, FLAUBERT])
def test_the_tokenizers_library_alone_reads_the_same_ids(recipe: Any, tmp_path: Path) -> None:
    tokens = released(tmp_path, recipe)
    tokens.save_pretrained(tmp_path / "saved")
    alone = Backend.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    assert [each.ids for each in alone.encode_batch(made_up())] == tokens(made_up()).input_ids


def made_up() -> list[str]:
    generator = random.Random(7)
    parts = [
        "ab",
        "Abc",
        "x",
        "É",
        "’",
        "“",
        "”",
        ", ",
        ". ",
        "...",
        "…",
        "（",
        "%",
        " ",
        "\n",
        "\u200d",
        "«\xa0",
        "5",
        "-",
        '."',
        "\ufff0",
    ]
    return ["".join(generator.choices(parts, k=generator.randint(0, 12))) for _ in range(300)]


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    ("recipe", "options"), [(FLAUBERT, {}), *((XLM, {"language": code}) for code in ("en", "fr", "ko", "zh", "ja"))]
)
def test_a_token_s_offsets_are_the_letters_that_it_came_from(
    recipe: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    tokens = released(tmp_path, recipe, **options)
    found = 0
    for text in made_up():
        batch = tokens(text, return_offsets_mapping=True, add_special_tokens=False)
        spans = batch.offset_mapping
        assert all(0 <= start <= end <= len(text) for start, end in spans)
        assert spans == sorted(spans)
        for token, (start, end) in zip(batch.tokens(), spans, strict=True):
            letters = token.removesuffix("</w>")
            if letters.isalnum():
                found += 1
                assert text[start:end].lower().replace("é", "e") == letters.lower()
    assert found > 300


@pytest.mark.parametrize("code", ["de", "fr"])
def test_long_runs_are_read_once_by_the_rules_of_other_languages(code: str, tmp_path: Path) -> None:
    """Read once for every sign in them, they would take minutes."""
    tokens = released(tmp_path, language=code)
    for run in (".", '."', "!.", "\xa0"):
        assert len(tokens(f"a{run * 50_000}b", truncation=True, max_length=4).input_ids) == 4, run
