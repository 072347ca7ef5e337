"""SentencePiece's normaliser table: the longest entry at every place, from left to right."""

import random
import unicodedata
from collections.abc import Mapping

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tfx_core.errors import TextError
from tfx_core.text.recipes.charsmap import charsmap_normalizers
from tfx_testing.sentencepiece_files import charsmap

UNICODE = {
    **{
        unicodedata.normalize("NFD", letter): letter
        for letter in "áàâäãåéèêëíìîïñóòôöúùûüýčšžạảấầẩẫậắằặẹẻẽếềểễệịỉọỏốồổỗộợụủứừửữựỳỵỷỹǘǚǜάέήίό"
    },
    **{unicodedata.normalize("NFD", syllable): syllable for syllable in "가각갂한글힣"},
    **{letter: unicodedata.normalize("NFKC", letter) for letter in "ＡＢａｅｏﬁ①½ª㎏ｶﾞﾀ\uffa0"},
    "ｶﾞ": "ガ",
    "ａ\u0302\u0301": "ấ",
    "\u0301": "\u0301",
    "\x01": "",
    "\u200d": " ",
    "\u3000": " ",
    "\r": " ",
    "\n": " ",
}
"""What Unicode's own tables are like: compositions, and compatible forms of their characters."""

RULES = {"ab": "x", "abc": "yé", "b": "ab", "bcd": "", "\u0301\u0302": "z", "e\u0301": "E", "  ": "_", "ccc": "c\u0301"}
"""Entries that no composition explains."""


def replaced(text: str, entries: Mapping[str, str]) -> str:
    """What SentencePiece does, said as plainly as possible."""
    longest = max(map(len, entries))
    parts, at = [], 0
    while at < len(text):
        for length in range(longest, 0, -1):
            if text[at : at + length] in entries:
                parts.append(entries[text[at : at + length]])
                at += length
                break
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts)


def steps(entries: Mapping[str, str], *symbols: str) -> normalizers.Sequence:
    return normalizers.Sequence(charsmap_normalizers(charsmap(entries), symbols, "spiece.model"))


@pytest.mark.parametrize("entries", [UNICODE, RULES, {**UNICODE, **RULES}], ids=["Unicode", "rules", "both"])
def test_the_longest_entry_is_replaced_at_every_place(entries: dict[str, str]) -> None:
    normalizer = steps(entries)
    random_ = random.Random(1)
    letters = sorted(set("".join(entries)) | set("xy \u0302\u0308\u0323\u200d\u1161\u11a8😀🏽ก\u0e33"))
    for _ in range(6000):
        text = "".join(random_.choice(letters) for _ in range(random_.randint(0, 9)))
        assert normalizer.normalize_str(text) == replaced(text, entries), [f"{ord(each):x}" for each in text]


def test_decomposed_words_keep_their_marks() -> None:
    normalizer = steps(UNICODE)
    for text in ("Ti\u1ebfng Vi\u1ec7t", "h\u1ea5p d\u1eabn", "한글", "ガ"):
        decomposed = unicodedata.normalize("NFD", text)
        table = {unicodedata.normalize("NFD", letter): letter for letter in text if letter not in decomposed}
        assert steps({**UNICODE, **table}).normalize_str(decomposed) == text
    assert normalizer.normalize_str("Ａ\u0300 ﬁ\u0300 \u0300Ａ") == "A\u0300 fi\u0300 \u0300A"


def test_symbols_are_left_as_they_are() -> None:
    normalizer = steps(UNICODE, "ＡＢ", "ｅ", "<a>", "e")
    assert normalizer.normalize_str("ＡＢＡｅ\u0301<a>\u0301e\u0301ａ") == "ＡＢAｅ\u0301<a>\u0301e\u0301a"


def test_an_entry_that_begins_before_a_symbol_takes_it() -> None:
    normalizer = steps({"ab": "x", "b": "y", "é": "e"}, "b", "bé")
    assert normalizer.normalize_str("ab b bé abé éb bb") == "x b bé xe eb bb"


def test_an_empty_table_changes_nothing() -> None:
    assert charsmap_normalizers(b"", ["a"], "spiece.model") == []


def test_offsets_point_into_the_text_as_it_was() -> None:
    tokenizer = Tokenizer(models.WordLevel({"fi": 0, "é": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.normalizer = steps(UNICODE)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    encoding = tokenizer.encode("ﬁ\u3000e\u0301 ﬁ")
    assert encoding.ids == [0, 1, 0]
    assert encoding.offsets == [(0, 1), (2, 3), (5, 6)]  # what NFC composes lies where its first character lay


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (b"\x00", "trie"),
        (b"\xff\xff\xff\xff" + b"\0" * 40, "trie"),
        (b"\x03\x00\x00\x00" + b"\0" * 40, "trie"),
        (charsmap(UNICODE)[:-40], "bytes of strings"),
        (charsmap(UNICODE)[:6] + b"\xff\xff" + charsmap(UNICODE)[8:], "points to"),
        (charsmap({"a": "b"}) + b"\xff\0", "not UTF-8"),
        (charsmap({"a": "é", "é": "b"})[:-2].replace("é".encode(), b"\xc3\0"), "."),
        (charsmap({"a" * 40: "b"}), "more than 32"),
    ],
    ids=["one byte", "huge", "odd size", "cut short", "stray offset", "no UTF-8", "no UTF-8 either", "long entry"],
)
def test_a_damaged_table_is_an_error_that_names_the_file(table: bytes, problem: str) -> None:
    with pytest.raises(TextError, match=rf"folder/spiece\.model: precompiled_charsmap is damaged: .*{problem}"):
        charsmap_normalizers(table, [], "folder/spiece.model")


def test_random_damage_never_passes_for_a_table_that_ends_the_process() -> None:
    good = charsmap(UNICODE)
    random_ = random.Random(3)
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(random_.randint(1, 4)):
            bad[random_.randrange(len(bad))] = random_.randrange(256)
        try:
            normalizer = normalizers.Sequence(charsmap_normalizers(bytes(bad), [], "spiece.model"))
        except TextError:
            continue
        normalizer.normalize_str("Ａe\u0301ﬁ x")  # a panic of the library would be no Exception
