"""Marian's released text files, and what is said of damaged ones."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.core.text.folders import read, write
from tfx_core.errors import InputError, TextError
from tfx_core.text import Tokenizer
from tfx_core.text.recipes import Piece
from tfx_seq2seq.marian.text import RECIPE
from tfx_testing.sentencepiece_files import CONTROL, UNKNOWN, scored, spiece
from tfx_testing.vocabularies import two_sides

FILES: Mapping[str, Any] = two_sides(">>fra<<", ">>deu<<")
ONLY_SOURCES = ("▁hello", "▁world", "▁ab", "▁abc")
TOKENS = [*FILES["vocab.json"]]


def folder(path: Path, **changes: object) -> Path:
    """The released files, some of them changed: ``vocab_json`` is ``vocab.json``."""
    return write(path, {**FILES, **{f"{name.removesuffix('_json')}.json": each for name, each in changes.items()}})


def numbers(tokens: list[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def pieces(tokenizer: Tokenizer, text: str, **options: object) -> list[str]:
    batch = tokenizer(text, **options)
    assert batch.tokens() == tokenizer.convert_ids_to_tokens(batch.input_ids)
    return batch.tokens()


def test_a_code_is_one_token_at_the_beginning_alone(tmp_path: Path) -> None:
    tokenizer = read(folder(tmp_path), RECIPE)
    assert tokenizer.languages == ("deu", "fra")
    assert pieces(tokenizer, ">>fra<< hello") == [">>fra<<", "▁hello", "</s>"]
    assert pieces(tokenizer, " >>fra<<hello") == [">>fra<<", "▁hello", "</s>"]
    assert pieces(tokenizer, ">>fra<<") == [">>fra<<", "</s>"]
    assert pieces(tokenizer, "") == ["</s>"]
    assert ">>fra<<" not in pieces(tokenizer, "hello >>fra<<")
    assert tokenizer(">>xyz<< hello").input_ids == [1, tokenizer.convert_tokens_to_ids("▁hello"), 0]
    assert tokenizer.decode(tokenizer(">>fra<< hello").input_ids, skip_special_tokens=True) == ">>fra<< hello"


def test_a_language_is_told_once(tmp_path: Path) -> None:
    tokenizer = read(folder(tmp_path), RECIPE)
    told = [">>fra<<", "▁hello", "</s>"]
    assert pieces(tokenizer, "hello", tgt_lang="fra") == told
    assert pieces(tokenizer, ">>fra<< hello", tgt_lang="fra") == told
    assert pieces(tokenizer, "hello", tgt_lang=">>fra<<") == told
    assert tokenizer("hello", tgt_lang="fra", truncation=True, max_length=2).tokens() == [">>fra<<", "</s>"]
    assert tokenizer(text_target="hello", tgt_lang="fra").input_ids == tokenizer(text_target="hello").input_ids
    assert tokenizer.asking_for("fra") == {}
    tokenizer.tgt_lang = "deu"
    tokenizer.save_pretrained(tmp_path / "saved")
    assert pieces(read(tmp_path / "saved", RECIPE), "hello") == [">>deu<<", "▁hello", "</s>"]
    assert pieces(read(folder(tmp_path / "asked"), RECIPE, tgt_lang="fra"), "hello") == told


def test_a_language_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tgt_lang='frz': not one of the 2 languages .* are .*fra"):
        read(folder(tmp_path), RECIPE)("hello", tgt_lang="frz")
    one_way = read(write(tmp_path / "one way", two_sides()), RECIPE)
    assert one_way.languages == ()
    with pytest.raises(InputError, match="tells no languages"):
        one_way("hello", tgt_lang="fra")


def test_languages_that_the_files_state_may_be_named(tmp_path: Path) -> None:
    config = {"tokenizer_config.json": {"source_lang": "en", "target_lang": "fr"}}
    tokenizer = read(write(tmp_path / "several", {**FILES, **config}), RECIPE)
    assert pieces(tokenizer, "hello", src_lang="en", tgt_lang="fra") == [">>fra<<", "▁hello", "</s>"]
    tokenizer.src_lang = "en"
    tokenizer.save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved", RECIPE).src_lang == "en"
    with pytest.raises(InputError, match=r"src_lang='eng': not one of the 2 .*; its files say that the source is 'en'"):
        tokenizer("hello", src_lang="eng")
    with pytest.raises(InputError, match="tgt_lang='fr': not one of the 2 languages"):
        tokenizer("hello", tgt_lang="fr")
    one_way = read(write(tmp_path / "one way", {**two_sides(), **config}), RECIPE)
    assert one_way("hello", src_lang="en", tgt_lang="fr").input_ids == one_way("hello").input_ids
    assert one_way.asking_for("fr") == {}
    with pytest.raises(InputError, match=r"tells no languages: .*; its target is 'fr'"):
        one_way("hello", tgt_lang="de")


def test_texts_neither_begin_nor_end_with_blanks(tmp_path: Path) -> None:
    tokenizer = read(folder(tmp_path), RECIPE)
    ids = tokenizer.convert_tokens_to_ids(["<unk>", "▁", "a", "▁", "<unk>", "</s>"])
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a"
    assert tokenizer.decode(ids) == "<unk> a <unk></s>"


def test_sides_of_their_own(tmp_path: Path) -> None:
    target = [
        "<pad>",
        "</s>",
        "<unk>",
        *(token for token in reversed(TOKENS) if token not in ("<pad>", "</s>", "<unk>")),
    ]
    changes: dict[str, object] = {
        "tokenizer_config.json": {"separate_vocabs": True},
        "target_vocab.json": numbers(target),
    }
    tokenizer = read(write(tmp_path, {**FILES, **changes}), RECIPE)
    ids = tokenizer(text_target="hello welt").input_ids
    assert ids[-1] == 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == "hello welt"
    tokenizer.add_tokens("zz")
    tokenizer.save_pretrained(tmp_path / "saved")
    again = read(tmp_path / "saved", RECIPE)
    texts = ["hello zz", "zz welt"]
    assert dict(again(texts, text_target=texts)) == dict(tokenizer(texts, text_target=texts))


def bad(path: Path, message: str, **changes: object) -> None:
    with pytest.raises(TextError, match=message):
        read(folder(path, **changes), RECIPE)


def test_vocabularies_that_are_damaged_are_told(tmp_path: Path) -> None:
    gap = numbers(TOKENS) | {"<pad>": len(TOKENS)}
    twice = numbers(TOKENS) | {"<pad>": 3}
    bad(tmp_path, r"vocab\.json: no token has the id", vocab_json=gap)
    bad(tmp_path, r"vocab\.json: .* have the same id 3", vocab_json=twice)
    for token, role in (("<pad>", "pad_token"), ("</s>", "eos_token"), ("<unk>", "unk_token")):
        lacking = numbers([each for each in TOKENS if each != token])
        bad(tmp_path, rf"vocab\.json: lacks '{token}', the {role}", vocab_json=lacking)
    bad(tmp_path, "a vocabulary is an object of token -> id", vocab_json=TOKENS)


def test_more_codes_than_there_are_languages_are_refused(tmp_path: Path) -> None:
    codes = [f">>x{number}<<" for number in range(2001)]
    bad(tmp_path, r"vocab\.json: has 2001 codes of languages", vocab_json=numbers(["<pad>", "</s>", "<unk>", *codes]))


def test_a_vocabulary_without_the_pieces_of_a_model_is_told(tmp_path: Path) -> None:
    few = [token for token in TOKENS if token not in ONLY_SOURCES]
    tokenizer = read(folder(tmp_path, vocab_json=numbers(few)), RECIPE)  # as released ones lack some
    assert tokenizer("hello world").input_ids == [1, 1, 0]
    many = [token for token in TOKENS if not token.isupper()]
    with pytest.warns(UserWarning, match=r"vocab\.json lacks 26 of the \d+ pieces of \w+\.spm: 'A', .* '<unk>' to"):
        read(folder(tmp_path, vocab_json=numbers(many)), RECIPE)
    most = [token for token in TOKENS if len(token) > 1]
    bad(tmp_path, r"lacks 95 of the 99 pieces of source\.spm.* of different models", vocab_json=numbers(most))


def test_models_that_are_interchanged_are_told(tmp_path: Path) -> None:
    """Where each side has its vocabulary; of a shared one that has the pieces of both, nothing can be told."""
    signs = {token for token in TOKENS if len(token) == 1 and token.isascii()}
    halves = [sorted(signs)[::2], sorted(signs)[1::2]]
    control = [Piece("<unk>", kind=UNKNOWN), Piece("</s>", kind=CONTROL)]
    models = [spiece([*control, *scored("▁", *half, first=-5.0, step=-0.01)]) for half in halves]
    tables = [numbers(["</s>", "<unk>", "▁", *half, "<pad>"]) for half in halves]
    files = {"vocab.json": tables[0], "target_vocab.json": tables[1]}
    config = {"tokenizer_config.json": {"separate_vocabs": True}}
    read(write(tmp_path, {"source.spm": models[0], "target.spm": models[1], **files, **config}), RECIPE)
    with pytest.raises(TextError, match=r"It has those of target\.spm: the two \.spm files are interchanged"):
        read(write(tmp_path, {"source.spm": models[1], "target.spm": models[0]}), RECIPE)


@pytest.mark.parametrize("missing", ["source.spm", "target.spm", "vocab.json"])
def test_a_file_that_is_missing_is_told(missing: str, tmp_path: Path) -> None:
    (folder(tmp_path) / missing).unlink()
    there = " and ".join(name for name in FILES if name != missing)
    wanted = f"there is {there} alone; it needs tokenizer.json, or source.spm with target.spm with vocab.json"
    with pytest.raises(TextError, match=re.escape(wanted)):
        read(tmp_path, RECIPE)


def test_a_vocabulary_of_targets_that_is_missing_is_told(tmp_path: Path) -> None:
    bad(tmp_path, r"'target_vocab\.json' is missing", tokenizer_config_json={"separate_vocabs": True})


def test_a_padding_token_that_is_not_the_model_s_is_told(tmp_path: Path) -> None:
    at = TOKENS.index("<pad>")
    read(folder(tmp_path, config_json={"pad_token_id": at}), RECIPE)
    with pytest.warns(UserWarning, match=rf"pad_token_id is 7 in config\.json, but vocab\.json gives .* the id {at}"):
        read(folder(tmp_path, config_json={"pad_token_id": 7}), RECIPE)


def test_pieces_by_lot_are_refused(tmp_path: Path) -> None:
    bad(tmp_path, "and not by lot", tokenizer_config_json={"sp_model_kwargs": {"enable_sampling": True}})
    assert read(folder(tmp_path, tokenizer_config_json={"sp_model_kwargs": {}}), RECIPE)("a").input_ids
