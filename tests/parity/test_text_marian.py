"""Marian's ids, of sources and of targets, beside its tokenizer in transformers, on models trained here.

Written down where they differ:

- Several cuts with the same score to 32 bits, as in `test_text_sentencepiece`.
- What decodes: after a special token the reference writes a blank.
- Blanks before a code at the beginning of a text: the reference then spells the code, and the model is told nothing.
- What looks like a code and is none, ">> a quotation <<": the reference takes all of it for one unknown token, whatever
  it is; here a code holds neither blanks nor brackets.
- A run of characters that a BPE model lacks, where it stands within what the normalizer makes of one character ("㋏").
"""

import io
import pydoc_data.topics
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import transformers

from tests.core.text.folders import read, write
from tests.parity.text_lines import hard_lines
from tfx_core.text import Tokenizer
from tfx_seq2seq.marian.text import RECIPE

ENGLISH = "".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))[:80_000]
OTHERS = """
    Été à la plage, où l'élève naïf coûte 1,000 euros. Straße, Größe, Äpfel. Привет, мир! Как дела? Ελληνικά и Αγγλικά
    こんにちは世界。カタカナ と ひらがな 你好,世界。今天天气很好 안녕하세요 세계 여러분 नमस्ते दुनिया مرحبا بالعالم
    Việt Nam đất nước, İstanbul ışık
"""
SOURCES = [line.strip() for line in ENGLISH.splitlines() if line.strip()]
TARGETS = [*(line[::-1] for line in SOURCES[:300]), *OTHERS.strip().splitlines() * 20]
WORDS = sorted(set(" ".join([*SOURCES, OTHERS]).split()))
CODES = (">>fra<<", ">>cmn_Hans<<")
BEGINNINGS = [f"{code}{blanks}" for code in (*CODES, ">>xyz<<") for blanks in ("", " ", "  ")]

KINDS: dict[str, dict[str, Any]] = {
    "shared": {},
    "separate": {"separate_vocabs": True},
    "lacking": {"kept": 0.95},
    "bpe": {"model_type": "bpe"},
    "bytes": {"byte_fallback": True, "vocab_size": 1000},
    "folded": {"normalization_rule_name": "nmt_nfkc_cf"},
}
"""How the models are trained, and what of their pieces the vocabularies have."""


@cache
def files(separate_vocabs: bool = False, kept: float = 1.0, **training: Any) -> dict[str, object]:
    """What is released of a tokenizer."""
    models = {"source.spm": _trained(SOURCES, **training), "target.spm": _trained(TARGETS, **training)}
    random_ = random.Random(1)
    sides = [[piece for piece in _pieces(each) if random_.random() < kept] for each in models.values()]
    shared = {piece for side in sides for piece in side}
    config = {"separate_vocabs": separate_vocabs, "source_lang": "en", "target_lang": "fr", "sp_model_kwargs": {}}
    vocabularies = zip(("vocab.json", "target_vocab.json"), sides if separate_vocabs else [shared], strict=False)
    numbered = {name: _numbers(sorted({*pieces})) for name, pieces in vocabularies}
    return {**models, **numbered, "tokenizer_config.json": config}


def _trained(lines: Sequence[str], **training: Any) -> bytes:
    writer = io.BytesIO()
    settings = {"vocab_size": 500, "character_coverage": 0.9995, **training}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=writer,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **settings,
    )
    return writer.getvalue()


def _pieces(model: object) -> list[str]:
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    numbers = [n for n in range(len(processor)) if not (processor.is_control(n) or processor.is_unknown(n))]
    return [processor.id_to_piece(number) for number in numbers]


def _numbers(pieces: Sequence[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(["</s>", "<unk>", *pieces, *CODES, "<pad>"])}


def both(folder: Path, kind: str) -> tuple[Tokenizer, Any]:
    """Our tokenizer and theirs."""
    write(folder, files(**KINDS[kind]))
    return read(folder, RECIPE), transformers.MarianTokenizer.from_pretrained(folder)


def texts(count: int, seed: int = 3) -> list[str]:
    """Lines of all scripts and of English, some of which begin with a code or hold one or a special token."""
    random_ = random.Random(seed)
    lines = [*hard_lines(count, WORDS, seed=seed), *SOURCES[: count // 4], *OTHERS.splitlines(), "", " ", "é", "日本"]
    lines += [f"{random_.choice(BEGINNINGS)}{line}" for line in lines[::3]] + BEGINNINGS
    return [*lines, "</s>", "a</s> b", "<pad>>>fra<< a <unk>", "a >>fra<< b", ">>fra<<>>xyz<< é", ">> a", "a <<"]


@pytest.mark.parametrize("part", ["text", "text_target"])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_either_side_are_those_of_the_reference(kind: str, part: str, tmp_path: Path) -> None:
    tokenizer, reference = both(tmp_path, kind)
    lines = texts(1500)
    found, expected = tokenizer(**{part: lines})["input_ids"], reference(**{part: lines})["input_ids"]
    if kind == "bpe":  # as is written above
        own = [at for at in range(len(lines)) if "\u32cf" not in lines[at]]
        lines, found, expected = ([each[at] for at in own] for each in (lines, found, expected))
    differing = [at for at in range(len(lines)) if found[at] != expected[at]]
    assert not [lines[at] for at in differing if sorted(found[at]) != sorted(expected[at])]
    assert len(differing) <= 0.01 * len(lines)  # ties, of which each library takes another
    unknown = sum(tokenizer.unk_token_id in row for row in found)
    assert unknown > 100 or kind == "bytes"


@pytest.mark.parametrize("kind", KINDS)
def test_texts_of_either_side_are_those_of_the_reference(kind: str, tmp_path: Path) -> None:
    tokenizer, reference = both(tmp_path, kind)
    rows = reference(text_target=texts(500))["input_ids"]
    assert len(tokenizer.batch_decode(rows)) == len(rows)
    found = tokenizer.batch_decode(rows, skip_special_tokens=True)
    assert found == reference.batch_decode(rows, skip_special_tokens=True)
    rows = tokenizer(texts(500)).input_ids
    found = tokenizer.batch_decode(rows, skip_special_tokens=True, use_source_tokenizer=True)
    if kind == "separate":  # the reference takes the ids for those of targets all the same
        reference.decoder = {number: token for token, number in reference.encoder.items()}
    expected = reference.batch_decode(rows, skip_special_tokens=True, use_source_tokenizer=True)
    assert found == expected


@pytest.mark.parametrize("kind", ["shared", "separate"])
def test_columns_are_those_of_the_reference(kind: str, tmp_path: Path) -> None:
    tokenizer, reference = both(tmp_path, kind)
    lines = [line for line in texts(200) if not set("-=*.0123456789") & set(line)]  # no ties
    calls: list[dict[str, Any]] = [
        {},
        {"padding": True},
        {"padding": "max_length", "max_length": 40, "truncation": True},
        {"truncation": True, "max_length": 6, "padding": True, "return_tensors": "np"},
        {"add_special_tokens": False},
        {"padding": True, "pad_to_multiple_of": 8, "padding_side": "left"},
    ]
    for options in calls:
        found, expected = (each(lines, text_target=lines[::-1], **options) for each in (tokenizer, reference))
        assert set(found) == set(expected)
        for name in expected:
            assert [[*row] for row in found[name]] == [[*row] for row in expected[name]], (options, name)
    assert tokenizer("a", "b").input_ids == reference("a", "b")["input_ids"]
    for name in ("eos_token_id", "unk_token_id", "pad_token_id", "all_special_ids", "special_tokens_map"):
        assert getattr(tokenizer, name) == getattr(reference, name)
    assert (tokenizer.get_vocab(), tokenizer.vocab_size, len(tokenizer)) == (
        reference.get_vocab(),
        reference.vocab_size,
        len(reference),
    )
    assert tokenizer.bos_token is None


def test_a_language_that_is_named_is_its_code_before_the_text(tmp_path: Path) -> None:
    tokenizer, reference = both(tmp_path, "shared")
    assert tokenizer.languages == ("cmn_Hans", "fra")
    assert {f">>{name}<<" for name in tokenizer.languages} == {*reference.supported_language_codes}
    lines = texts(200)[:-100]
    plain = [line for line in lines if not line.strip().startswith(">>")]
    assert len(plain) < len(lines)
    found = tokenizer(lines, tgt_lang="fra", text_target=lines)
    assert found.labels == tokenizer(text_target=lines).input_ids
    expected = reference([f">>fra<<{line}" for line in plain])["input_ids"]
    assert tokenizer(plain, tgt_lang="fra").input_ids == expected
    assert tokenizer([f">>fra<< {line}" for line in plain if line.strip()], tgt_lang="fra").input_ids == [
        ids for ids, line in zip(expected, plain, strict=True) if line.strip()
    ]
    assert tokenizer(plain, tgt_lang=">>fra<<").input_ids == expected


@pytest.mark.parametrize("kind", KINDS)
def test_folders_are_read_in_both_directions(kind: str, tmp_path: Path) -> None:
    tokenizer, reference = both(tmp_path, kind)
    lines = [line for line in texts(100) if not set("-=*.0123456789") & set(line)]
    tokenizer.save_pretrained(tmp_path / "ours")
    reference.save_pretrained(tmp_path / "theirs")
    theirs, ours = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours"), read(tmp_path / "theirs", RECIPE)
    assert isinstance(theirs, transformers.MarianTokenizer)
    for part in ("text", "text_target"):
        expected = reference(**{part: lines})["input_ids"]
        assert theirs(**{part: lines})["input_ids"] == expected
        assert ours(**{part: lines})["input_ids"] == tokenizer(**{part: lines})["input_ids"]
