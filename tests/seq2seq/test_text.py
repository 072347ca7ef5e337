"""T5's tokenizer: what goes around its SentencePiece model."""

from pathlib import Path
from typing import Any

import pytest

from tests.core.text.folders import read, write
from tfx_core.errors import TextError
from tfx_core.text import Tokenizer
from tfx_core.text.recipes import Piece
from tfx_seq2seq.t5.text import RECIPE
from tfx_testing.sentencepiece_files import CONTROL, LETTERS, UNKNOWN, charsmap, spiece

PIECES = [Piece("<pad>", 0.0, CONTROL), Piece("</s>", 0.0, CONTROL), Piece("<unk>", 0.0, UNKNOWN), *LETTERS]


def t5(folder: Path, **options: Any) -> Tokenizer:
    return read(write(folder, {"spiece.model": spiece(PIECES)}), RECIPE, **options)


def test_t5_has_its_sentinels_behind_the_pieces_the_first_last(tmp_path: Path) -> None:
    tokens = t5(tmp_path)
    assert len(tokens) == len(PIECES) + 100
    assert tokens.convert_tokens_to_ids(["<extra_id_0>", "<extra_id_99>"]) == [len(tokens) - 1, len(PIECES)]
    assert tokens.tokenize("a <extra_id_0> e<extra_id_12>") == ["▁", "a", "<extra_id_0>", "▁", "e", "<extra_id_12>"]
    assert set(tokens.additional_special_tokens) == {f"<extra_id_{number}>" for number in range(100)}


def test_t5_ends_every_text(tmp_path: Path) -> None:
    tokens = t5(tmp_path)
    batch = tokens("a", "e</s>")
    assert tokens.convert_ids_to_tokens(batch.input_ids) == ["▁", "a", "</s>", "▁", "e", "</s>", "</s>"]
    assert set(batch) == {"input_ids", "attention_mask"}
    assert tokens.decode(batch.input_ids, skip_special_tokens=True) == "a e"


@pytest.mark.parametrize("named", [{}, {"additional_special_tokens": ["<extra_id_0>", "<extra_id_1>"]}])
def test_t5_takes_another_number_of_sentinels(named: dict[str, Any], tmp_path: Path) -> None:
    tokens = t5(tmp_path, extra_ids=2, **named)
    assert tokens.additional_special_tokens == ["<extra_id_0>", "<extra_id_1>"]
    assert tokens.additional_special_tokens_ids == [len(PIECES) + 1, len(PIECES)]
    assert tokens("<extra_id_1>").input_ids == [len(PIECES), 1]
    assert t5(tmp_path, extra_ids=0).additional_special_tokens == []


@pytest.mark.parametrize("count", [-1, 10**9, 10**100])
def test_a_number_of_sentinels_that_no_model_has_is_refused_before_they_are_made(count: int, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"tokenizer_config\.json: extra_ids is .*; it must be from 0 to 10000$"):
        t5(tmp_path, extra_ids=count)


def test_t5_adds_sentinels_that_extra_ids_does_not_count(tmp_path: Path) -> None:
    tokens = t5(tmp_path, extra_ids=0, additional_special_tokens=["<extra_id_0>", "<extra_id_1>"])
    assert tokens.additional_special_tokens_ids == [len(PIECES), len(PIECES) + 1]
    assert tokens("<extra_id_1>").input_ids == [len(PIECES) + 1, 1]


def test_t5_does_not_count_two_ways(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"extra_ids is 2, but additional_special_tokens has 1 tokens"):
        t5(tmp_path, extra_ids=2, additional_special_tokens=["<extra_id_0>"])


@pytest.mark.parametrize("others", [None, [], ["<x>"]])
def test_t5_has_the_sentinels_that_extra_ids_counts_beside_other_special_tokens(
    others: list[str] | None, tmp_path: Path
) -> None:
    write(tmp_path, {"tokenizer_config.json": {"extra_ids": 100, "additional_special_tokens": others}})
    tokens = t5(tmp_path)
    assert len(tokens) == len(PIECES) + 100 + len(others or [])
    assert tokens.convert_tokens_to_ids("<extra_id_0>") == len(PIECES) + 99
    for other in others or []:
        assert tokens.convert_tokens_to_ids(other) == len(PIECES) + 100


def test_t5_without_legacy_begins_only_the_whole_text_with_a_blank(tmp_path: Path) -> None:
    text = " a</s>e </s> i"
    assert t5(tmp_path).tokenize(text) == ["▁", "a", "</s>", "▁", "e", "</s>", "▁", "i"]
    assert t5(tmp_path, legacy=False).tokenize(text) == ["▁", "a", "</s>", "e", "</s>", "▁", "i"]


def test_saving_and_reading_keeps_the_ids(tmp_path: Path) -> None:
    table = charsmap({"Ａ": "a", "e\u0301": "é"})
    released = write(tmp_path / "released", {"spiece.model": spiece([*PIECES], table=table)})
    texts = ["Ａ e\u0301 5, <extra_id_3> <mask> a", "  ``u'' ", "", "xyz"]
    tokens = read(released, RECIPE)
    tokens.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "spiece.model").read_bytes() == (released / "spiece.model").read_bytes()
    assert read(tmp_path / "saved", RECIPE)(texts).input_ids == tokens(texts).input_ids
    assert read(tmp_path / "saved", None)(texts).input_ids == tokens(texts).input_ids
    (tmp_path / "saved" / "tokenizer.json").unlink()
    assert read(tmp_path / "saved", RECIPE)(texts).input_ids == tokens(texts).input_ids


@pytest.mark.parametrize("token", ["$A", "$$$", "$A:x", "a:1", ":"])
def test_a_special_token_may_look_like_a_part_of_a_template(token: str, tmp_path: Path) -> None:
    write(tmp_path, {"spiece.model": spiece([*PIECES, Piece(token, kind=CONTROL)])})
    tokens = read(tmp_path, RECIPE, eos_token=token)
    assert tokens("a", "e").tokens() == ["▁", "a", token, "▁", "e", token]
    tokens.save_pretrained(tmp_path / "saved")
    assert read(tmp_path / "saved", RECIPE)("a").input_ids == tokens("a").input_ids
