"""Words beside sacremoses, and Transformer-XL's ids beside the last tokenizer of transformers that has them.

Written down where they differ:

- Letters that Unicode 7 did not have, and signs that it did not count as letters: `YOUNGER`.
- ``<EOS>`` and other spellings of special tokens, where they touch other words: the reference makes one unknown word.
- Abbreviations: ours are fewer; `test_abbreviations_of_ours_are_those_of_the_reference` says that none is ours alone.
- `decode` with special tokens left in: the reference joins the stretches between them one by one, so that a comma
  behind ``<unk>`` stands apart, and counts quotation marks anew.
- The reference returns no ``attention_mask`` unless asked.
- ``add_eos`` and ``add_double_eos``: the reference has them as arguments that its own `tokenize` loses.
"""

import pickle
import pydoc_data.topics
import random
import re
import unicodedata
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
import sacremoses
from tokenizers import Regex, decoders, normalizers
from transformers.models.deprecated.transfo_xl.tokenization_transfo_xl import TransfoXLTokenizer

from tests.core.text.folders import read, write
from tests.parity.text_lines import hard_lines
from tfx_core.text.recipes import moses
from tfx_decoders.transfo_xl.text import RECIPE as TRANSFORMER_XL

TOPICS = "".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))
LINES = [line.strip() for line in TOPICS[:200_000].splitlines() if line.strip()]
WORDS = sorted(set(" ".join(LINES).split()))

PUNCTUATION = normalizers.Sequence(moses.as_normalizers(moses.punctuation_steps(moses.ENGLISH)))
SPLIT = normalizers.Sequence(moses.as_normalizers(moses.word_steps(moses.ENGLISH, hyphens=True)))
NORMALIZER = sacremoses.MosesPunctNormalizer("en")
TOKENIZER = sacremoses.MosesTokenizer("en")
DETOKENIZER = sacremoses.MosesDetokenizer("en")


def reference_words(text: str) -> list[str]:
    return list(TOKENIZER.tokenize(text, aggressive_dash_splits=True, return_str=False, escape=False))


YOUNGER = (
    *((0x560, 0x560), (0x588, 0x588), (0x5EF, 0x5EF), (0x860, 0x86A), (0x870, 0x887), (0x889, 0x88E), (0x8B3, 0x8C9)),
    *((0x8D4, 0x8DF), (0x8E3, 0x8E3), (0x9FC, 0x9FC), (0xAF9, 0xAFC), (0xC04, 0xC04), (0xC3C, 0xC3C), (0xC5A, 0xC5A)),
    *((0xC5D, 0xC5D), (0xC80, 0xC80), (0xCDD, 0xCDD), (0xD00, 0xD00), (0xD04, 0xD04), (0xD54, 0xD56), (0xD5F, 0xD5F)),
    *((0xD81, 0xD81), (0xE86, 0xE86), (0xE89, 0xE89), (0xE8C, 0xE8C), (0xE8E, 0xE93), (0xE98, 0xE98), (0xEA0, 0xEA0)),
    *((0xEA8, 0xEA9), (0xEAC, 0xEAC), (0xF82, 0xF83), (0x1063, 0x1064), (0x1069, 0x106D), (0x1087, 0x108D)),
    *((0x108F, 0x108F), (0x109A, 0x109B), (0x13F5, 0x13F5), (0x13F8, 0x13FD), (0x170D, 0x170D), (0x171F, 0x171F)),
    *((0x1878, 0x1878), (0x1ABF, 0x1AC0), (0x1ACC, 0x1ACE), (0x1B4C, 0x1B4C), (0x1C36, 0x1C36), (0x1C80, 0x1C88)),
    *((0x1C90, 0x1CBA), (0x1CBD, 0x1CBF), (0x1CFA, 0x1CFA), (0x2C2F, 0x2C2F), (0x2C5F, 0x2C5F), (0x312E, 0x312F)),
    *((0x31BB, 0x31BF), (0xA69E, 0xA69E), (0xA78F, 0xA78F), (0xA7AE, 0xA7AF), (0xA7B2, 0xA7CA), (0xA7D0, 0xA7D1)),
    *((0xA7D3, 0xA7D3), (0xA7D5, 0xA7D9), (0xA7F2, 0xA7F6), (0xA802, 0xA802), (0xA80B, 0xA80B), (0xA8C5, 0xA8C5)),
    *((0xA8FD, 0xA8FF), (0xA9E5, 0xA9E5), (0xAA7B, 0xAA7D), (0xAB60, 0xAB63), (0xAB66, 0xAB69), (0xAB70, 0xABBF)),
    *((0x11070, 0x11070), (0x1193E, 0x1193E), (0x11943, 0x11943), (0x1E94A, 0x1E94A)),
)
"""Characters that are letters to us and none, or marks apart, to the reference's table, which is of 2014."""

SMALL_SINCE = ((0x10D0, 0x10FF), (0x10570, 0x107BA), (0x16E60, 0x16E7F), (0x1DF00, 0x1DF2A), (0x1E030, 0x1E06D))
"""Georgian letters, and letters of scripts that are younger: small ones to us, so that the full stop before stays."""

READ_APART = dict.fromkeys(code for first, last in (*YOUNGER, *SMALL_SINCE) for code in range(first, last + 1))
"""A table for `str.translate` that takes these characters out."""


def held(text: str) -> str:
    return text.translate(READ_APART)


def test_the_list_of_differences_is_exact() -> None:
    found = set()
    for code in range(0x30000):
        character = chr(code)
        skipped = 0x3400 <= code < 0xA000 or 0xAC00 <= code < 0xD800 or code >= 0x20000  # ideographs and Hangul
        if unicodedata.category(character) not in ("Cn", "Cs") and (not skipped or code % 97 == 0):
            text = f"x{character}y"
            if SPLIT.normalize_str(text).split() != reference_words(text):
                found.add(code)
    assert found == {code for first, last in YOUNGER for code in range(first, last + 1)} & found
    assert {code for first, last in YOUNGER for code in (first, last)} <= found


def test_words_are_set_apart_as_by_the_reference() -> None:
    random_ = random.Random(31)
    letters = "ab Sx5\u0663,,..''--\"\"()[]:;%!?\u2019\u2018\u201c\u201d\u201e«»\u00a0—–´`…é @$<>/\\\n中"
    short = ["".join(random_.choice(letters) for _ in range(random_.randint(1, 13))) for _ in range(20_000)]
    for text in [*short, *map(held, hard_lines(2500, WORDS, seed=32)), *LINES[:2000]]:
        assert PUNCTUATION.normalize_str(text) == NORMALIZER.normalize(text), repr(text)
        assert SPLIT.normalize_str(text).split() == reference_words(text), repr(text)


JOINED = "a bs x's 's 't 'tis dogs ' \" \" ' '' `` ` , . ? ! ( ) [ ] $ € % : ; @-@ - ... 5 中 文字 s „ “ & «"


def test_words_are_put_together_as_by_the_reference() -> None:
    steps = [decoders.Replace(Regex(pattern), content) for pattern, content in moses.text_steps()]
    joined = decoders.Sequence(steps)
    words = JOINED.split()
    random_ = random.Random(33)
    for _ in range(10_000):
        row = [random_.choice(words) for _ in range(random_.randint(1, 11))]
        assert joined.decode([" ".join(row)]) == DETOKENIZER.detokenize(row), row


def test_abbreviations_of_ours_are_those_of_the_reference() -> None:
    for word in moses.ENGLISH.abbreviations:
        assert reference_words(f"{word}. X") == [f"{word}.", "X"], word
    for word in moses.ENGLISH.before_numbers:
        assert reference_words(f"{word}. 5") == [f"{word}.", "5"], word
        assert reference_words(f"{word}. X") == [word, ".", "X"], word


def test_full_stops_in_english_text_are_those_of_the_reference() -> None:
    # Every word of the text before a capital letter and before a number, so that each is asked for as an abbreviation.
    words = sorted({word for line in LINES for word in re.findall(r"[A-Za-z]+", line)})
    assert len(words) > 2000
    for word in words:
        for text in (f"{word}. X", f"{word}. 5", f"{word}. x", f"{word}."):
            assert SPLIT.normalize_str(text).split() == reference_words(text), text


# -- Transformer-XL ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary in the form of the released one."""
    counter: Counter[str] = Counter()
    for line in LINES:
        counter.update(reference_words(line))
    words = ["<eos>", "<unk>", *(word for word, _ in counter.most_common(3000)), "@,@", "@.@", "@-@"]
    words = list(dict.fromkeys(words))
    contents = {
        "counter": counter,
        "special": ["<eos>"],
        "min_freq": 0,
        "idx2sym": words,
        "sym2idx": OrderedDict((word, number) for number, word in enumerate(words)),
        "eos_idx": 0,
        "unk_idx": 1,
    }
    return write(tmp_path_factory.mktemp("transfo-xl"), {"vocab.pkl": pickle.dumps(contents)})


@pytest.fixture
def texts() -> list[str]:
    random_ = random.Random(34)
    lines = [*map(held, hard_lines(2500, WORDS, seed=35)), *LINES[:500], "", " ", "1,000.50", "<EOS> a <Unk>", "İ ΑΣ"]
    for line in lines[:500]:
        at, blank = random_.randint(0, len(line)), random_.choice(["", " "])
        lines.append(f"{line[:at]}{blank}{random_.choice(['<eos>', '<unk>', '<formula>'])}{blank}{line[at:]}")
    return lines


def reference(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> Any:
    monkeypatch.setenv("TRUST_REMOTE_CODE", "True")  # it unpickles the vocabulary
    return TransfoXLTokenizer.from_pretrained(folder, **options)


@pytest.mark.parametrize("lower_case", [False, True])
def test_ids_and_texts_are_those_of_the_reference(
    lower_case: bool, folder: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = read(folder, TRANSFORMER_XL, lower_case=lower_case)
    slow = reference(folder, monkeypatch, lower_case=lower_case)
    if lower_case:  # Cherokee's small letters are younger than its capitals
        texts = [text for text in texts if held(text.lower()) == text.lower()]
    batch, expected = tokenizer(texts), slow(texts)
    assert set(batch) == {*expected, "attention_mask"}
    for text, ids, others in zip(texts, batch.input_ids, expected["input_ids"], strict=True):
        assert ids == others, repr(text)
    assert tokenizer(texts[:-1], texts[1:]).input_ids == slow(texts[:-1], texts[1:])["input_ids"]
    assert len(tokenizer) == len(slow)
    assert tokenizer.all_special_ids == slow.all_special_ids
    rows = [ids for ids in batch.input_ids if ids]
    decoded = tokenizer.batch_decode(rows, skip_special_tokens=True)
    assert decoded == slow.batch_decode(rows, skip_special_tokens=True)


def test_what_transformers_saves_is_read(
    folder: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = reference(folder, monkeypatch)
    slow.add_tokens(["newword"])
    slow.save_pretrained(tmp_path)
    tokenizer = read(tmp_path, TRANSFORMER_XL)
    texts = [*texts[:500], "a newword b"]
    assert tokenizer(texts).input_ids == slow(texts)["input_ids"]
    assert tokenizer.get_vocab() == slow.get_vocab()


def test_transformers_reads_what_is_saved(
    folder: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tokenizer = read(folder, TRANSFORMER_XL)
    tokenizer.save_pretrained(tmp_path)
    slow = reference(tmp_path, monkeypatch)
    assert slow(texts)["input_ids"] == tokenizer(texts).input_ids
