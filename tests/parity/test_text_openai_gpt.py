"""GPT's ids beside both tokenizers of transformers, on a vocabulary trained here, without ftfy and spaCy.

The slow one reads some characters apart, as that of BERT does (`tests.parity.test_text_wordpiece`), and lower-cases
words, not characters, so that a last Σ becomes ς.
"""

import random
import unicodedata
from pathlib import Path

import pytest
import transformers
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, trainers

from tests.core.text.folders import read
from tests.parity.test_text_moses import SENTENCES, WORDS
from tests.parity.test_text_wordpiece import HAND_WRITTEN, READ_APART
from tests.parity.text_lines import hard_lines
from tfx_decoders.openai_gpt.text import RECIPE

LINES = [*HAND_WRITTEN, *SENTENCES.values(), *hard_lines(2500, WORDS, seed=51)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vocabulary in the form of the released one, of a part of the lines."""
    backend = Backend(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=4000, special_tokens=["<unk>"], end_of_word_suffix="</w>", show_progress=False
    )
    backend.train_from_iterator(LINES[:800], trainer)
    folder = tmp_path_factory.mktemp("released")
    backend.model.save(str(folder))
    return folder


def with_unknown(lines: list[str]) -> list[str]:
    """The lines, once more with the special token within."""
    random_ = random.Random(52)
    places = [(line, random_.randint(0, len(line))) for line in lines[:400]]
    return [*lines, *(f"{line[:at]}<unk>{line[at:]}" for line, at in places)]


def test_ids_and_texts_are_those_of_the_fast_tokenizer(folder: Path) -> None:
    tokenizer, fast = read(folder, RECIPE), transformers.OpenAIGPTTokenizerFast.from_pretrained(folder)
    texts = with_unknown(LINES)
    found, expected = tokenizer(texts, return_offsets_mapping=True), fast(texts, return_offsets_mapping=True)
    assert dict(found) == dict(expected)
    assert any(0 < ids.count(0) < len(ids) // 2 for ids in found.input_ids)
    assert tokenizer(texts[:-1], texts[1:]).input_ids == fast(texts[:-1], texts[1:])["input_ids"]
    assert len(tokenizer) == len(fast)
    assert tokenizer.all_special_ids == fast.all_special_ids
    for skip in (False, True):
        decoded = tokenizer.batch_decode(found.input_ids, skip_special_tokens=skip)
        assert decoded == fast.batch_decode(found.input_ids, skip_special_tokens=skip)


def test_ids_and_texts_are_those_of_the_slow_tokenizer(folder: Path) -> None:
    tokenizer, slow = read(folder, RECIPE), transformers.OpenAIGPTTokenizer.from_pretrained(folder)
    assert slow.fix_text is None, "the reference has found ftfy and spaCy"
    texts = [unicodedata.normalize("NFC", line.translate(READ_APART)).replace("Σ", "σ") for line in with_unknown(LINES)]
    found = tokenizer(texts).input_ids
    for text, ids in zip(texts, found, strict=True):
        assert ids == slow(text)["input_ids"], text
    assert tokenizer("a", "b", return_token_type_ids=True) == slow("a", "b", return_token_type_ids=True)
    for ids in found:
        for skip in (False, True):
            assert tokenizer.decode(ids, skip_special_tokens=skip) == slow.decode(ids, skip_special_tokens=skip)


def test_what_is_saved_is_read_by_transformers_and_by_the_library_alone(folder: Path, tmp_path: Path) -> None:
    tokenizer = read(folder, RECIPE)
    tokenizer.add_tokens(["<sep>", "Word"])
    tokenizer.save_pretrained(tmp_path)
    texts = [f"{line}<sep>{line} Word word" for line in LINES[:400]]
    ids = tokenizer(texts).input_ids
    again = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert type(again) is transformers.OpenAIGPTTokenizerFast
    assert again(texts)["input_ids"] == ids
    assert [each.ids for each in Backend.from_file(str(tmp_path / "tokenizer.json")).encode_batch(texts)] == ids
    (tmp_path / "tokenizer.json").unlink()
    assert read(tmp_path, RECIPE)(texts).input_ids == ids
