"""Byte-level BPE ids beside both tokenizers of transformers, on vocabularies trained here.

They differ under ``add_prefix_space``: the slow tokenizers put a blank before the whole text (GPT-2's even before a
blank), the fast ones before every stretch between special tokens that has none; so do we. With ``add_bos_token`` the
slow tokenizer of GPT-2 begins both texts of a pair, the fast one the first alone; we begin both.
"""

import json
import pydoc_data.topics
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import transformers
from tokenizers import ByteLevelBPETokenizer
from tokenizers import Tokenizer as Backend

from tests.core.text.folders import read, write
from tests.parity.text_lines import hard_lines
from tfx_core.text import Recipe, Tokenizer
from tfx_decoders.gpt2.text import RECIPE as GPT2
from tfx_encoders.longformer.text import RECIPE as LONGFORMER
from tfx_encoders.roberta.text import RECIPE as ROBERTA
from tfx_seq2seq.bart.text import RECIPE as BART

LINES = "".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))[:150_000].splitlines()
WORDS = sorted(set(" ".join(LINES).split()))

HAND_WRITTEN = [
    *("", " ", "   ", "\t\n\r ", "\x00\x01", "\ufffd", "\u200b", "  two  blanks  ", "a\n\n b", "a" * 300, "-" * 40),
    *(
        "don't DON'T we'll I'm '90s ' s",
        "x² ½ ⅷ ①",
        "１２３ ٣٤ 五",
        "e\u0301 \u0301x",
        "👩\u200d💻👍🏽🇩🇪",
        "\u2028\u2029\x85\x1c",
    ),
    *("<|endoftext|>", "a<|endoftext|> b", "<mask>", "a  <mask> b<mask>", "<s>a</s>", "<S> < s >", "<unk><pad>"),
]

ENCLOSED = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
FAMILIES: dict[str, tuple[Recipe, Any, Any, list[str]]] = {
    "gpt2": (GPT2, transformers.GPT2Tokenizer, transformers.GPT2TokenizerFast, ["<|endoftext|>"]),
    "bart": (BART, transformers.BartTokenizer, transformers.BartTokenizerFast, ENCLOSED),
    "longformer": (LONGFORMER, transformers.LongformerTokenizer, transformers.LongformerTokenizerFast, ENCLOSED),
    "roberta": (ROBERTA, transformers.RobertaTokenizer, transformers.RobertaTokenizerFast, ENCLOSED),
}


@pytest.fixture(scope="session", params=list(FAMILIES))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A family's name and a folder with a vocabulary in its form."""
    path = tmp_path_factory.mktemp(request.param)
    tokenizer = ByteLevelBPETokenizer()
    special = FAMILIES[request.param][3]
    tokenizer.train_from_iterator(LINES, vocab_size=900, special_tokens=special, show_progress=False)
    tokenizer.save_model(str(path))
    return request.param, path


def lines_for(family: tuple[str, Path], count: int, seed: int) -> list[str]:
    random_ = random.Random(seed)
    lines = hard_lines(count, WORDS, seed=seed)
    texts = [*HAND_WRITTEN, *lines, *LINES[:300]]
    for line in lines[: count // 4]:
        at, blank = random_.randint(0, len(line)), random_.choice(["", " ", "  "])
        texts.append(f"{line[:at]}{blank}{random_.choice(FAMILIES[family[0]][3])}{blank}{line[at:]}")
    return texts


def all_three(family: tuple[str, Path], **options: object) -> tuple[Tokenizer, Any, Any]:
    recipe, slow, fast, _ = FAMILIES[family[0]]
    return (
        read(family[1], recipe, **options),
        slow.from_pretrained(family[1], **options),
        fast.from_pretrained(family[1], **options),
    )


def assert_same(texts: Sequence[str], found: Any, expected: Any) -> None:
    for text, ids, others in zip(texts, found, expected, strict=True):
        assert ids == others, text


def test_ids_are_those_of_the_reference(family: tuple[str, Path]) -> None:
    tokenizer, slow, fast = all_three(family)
    texts = lines_for(family, 2500, seed=21)
    found = tokenizer(texts, return_offsets_mapping=True)
    expected = fast(texts, return_offsets_mapping=True)
    assert_same(texts, found.input_ids, expected["input_ids"])
    assert_same(texts, found.input_ids, slow(texts)["input_ids"])
    assert found.offset_mapping == expected["offset_mapping"]
    assert set(found) == set(expected)
    assert tokenizer.all_special_ids == slow.all_special_ids
    assert tokenizer(texts[:-1], texts[1:]).input_ids == fast(texts[:-1], texts[1:])["input_ids"]
    assert tokenizer(texts[:300], texts[300:600]).input_ids == slow(texts[:300], texts[300:600])["input_ids"]
    for skip in (False, True):
        decoded = tokenizer.batch_decode(found.input_ids, skip_special_tokens=skip)
        assert decoded == fast.batch_decode(found.input_ids, skip_special_tokens=skip)
    assert decoded == slow.batch_decode(found.input_ids, skip_special_tokens=True)


def test_a_blank_before_the_text_gives_the_ids_of_the_reference(family: tuple[str, Path]) -> None:
    tokenizer, slow, fast = all_three(family, add_prefix_space=True)
    texts = lines_for(family, 800, seed=22)
    assert_same(texts, tokenizer(texts).input_ids, fast(texts)["input_ids"])
    special = FAMILIES[family[0]][3]
    plain = [text for text in texts if text and not text[0].isspace() and not any(token in text for token in special)]
    assert len(plain) > 500
    assert_same(plain, tokenizer(plain).input_ids, slow(plain)["input_ids"])
    words = [line.split() for line in plain if line.split()]
    assert tokenizer(words, is_split_into_words=True).input_ids == fast(words, is_split_into_words=True)["input_ids"]


def test_other_options_give_the_ids_of_the_reference(family: tuple[str, Path]) -> None:
    enclosed = FAMILIES[family[0]][3] is ENCLOSED
    options = {"trim_offsets": False} if enclosed else {"add_bos_token": True}
    tokenizer, slow, fast = all_three(family, **options)
    texts = lines_for(family, 500, seed=23)
    assert_same(texts, tokenizer(texts).input_ids, slow(texts)["input_ids"])
    assert tokenizer(texts[:-1], texts[1:]).input_ids == slow(texts[:-1], texts[1:])["input_ids"]
    if enclosed:
        offsets = fast(texts, return_offsets_mapping=True)["offset_mapping"]
        assert tokenizer(texts, return_offsets_mapping=True).offset_mapping == offsets


def test_a_vocabulary_that_lacks_bytes_gives_the_ids_of_the_slow_tokenizer(tmp_path: Path) -> None:
    tokens = ["<|endoftext|>", *"abcdeĠ", "ab", "Ġa"]
    files = {"vocab.json": {token: at for at, token in enumerate(tokens)}, "merges.txt": "#version: 0.2\na b\nĠ a\n"}
    write(tmp_path, files)
    slow = transformers.GPT2Tokenizer.from_pretrained(tmp_path)
    texts = hard_lines(300, ["abc", "xab", "é", "dax"], seed=24)
    assert_same(texts, read(tmp_path, GPT2)(texts).input_ids, slow(texts)["input_ids"])


def test_what_is_saved_is_read_by_transformers_and_by_the_library_alone(
    family: tuple[str, Path], tmp_path: Path
) -> None:
    tokenizer, slow, fast = all_three(family)
    tokenizer.save_pretrained(tmp_path)
    texts = lines_for(family, 300, seed=25)
    for again in (
        transformers.AutoTokenizer.from_pretrained(tmp_path),
        transformers.AutoTokenizer.from_pretrained(tmp_path, use_fast=False),
    ):
        assert type(again) in (type(fast), type(slow))
        assert_same(texts, tokenizer(texts).input_ids, again(texts)["input_ids"])
    alone = Backend.from_file(str(tmp_path / "tokenizer.json"))
    assert_same(texts, tokenizer(texts).input_ids, [each.ids for each in alone.encode_batch(texts)])
    assert json.loads((tmp_path / "vocab.json").read_text()) == slow.encoder
