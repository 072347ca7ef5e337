"""XLNet's tokenizer: what goes around its SentencePiece model."""

from pathlib import Path
from typing import Any

import pytest

from tests.core.text.folders import read, write
from tfx_core.errors import TextError
from tfx_core.text import Tokenizer
from tfx_core.text.recipes import Piece
from tfx_decoders.xlnet.text import RECIPE
from tfx_testing.sentencepiece_files import CONTROL, LETTERS, UNKNOWN, charsmap, scored, spiece

SPECIAL = [Piece("<unk>", 0.0, UNKNOWN)] + [
    Piece(text, 0.0, CONTROL) for text in ("<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")
]


def xlnet(folder: Path, *pieces: Piece, **options: Any) -> Tokenizer:
    write(folder, {"spiece.model": spiece([*SPECIAL, *LETTERS, *pieces])})
    return read(folder, RECIPE, **options)


def test_xlnet_puts_its_special_tokens_behind_and_pads_before(tmp_path: Path) -> None:
    tokens = xlnet(tmp_path)
    batch = tokens(["a", "a e"], ["i", "o"], padding=True)
    assert [tokens.convert_ids_to_tokens(ids) for ids in batch.input_ids] == [
        ["<pad>", "<pad>", "▁", "a", "<sep>", "▁", "i", "<sep>", "<cls>"],
        ["▁", "a", "▁", "e", "<sep>", "▁", "o", "<sep>", "<cls>"],
    ]
    assert batch.token_type_ids == [[3, 3, 0, 0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 1, 1, 1, 2]]
    assert batch.attention_mask == [[0, 0, 1, 1, 1, 1, 1, 1, 1], [1] * 9]
    assert tokens("a").token_type_ids == [0, 0, 0, 2]


def test_xlnet_cleans_texts_as_the_settings_say(tmp_path: Path) -> None:
    text = " \u00e1 \t``e'' \x1c\u0410"
    assert xlnet(tmp_path).tokenize(text) == ["▁", "a", "▁", '"', "e", '"', "▁", "\u0410"]
    assert xlnet(tmp_path, keep_accents=True).tokenize("a\u0301e") == ["▁", "a", "\u0301", "e"]
    assert xlnet(tmp_path, do_lower_case=True).tokenize("AÉ") == ["▁", "a", "e"]
    assert xlnet(tmp_path, remove_space=False).tokenize("a\te") == ["▁", "a", "\t", "e"]


def test_xlnet_keeps_vowel_signs_which_are_no_accents(tmp_path: Path) -> None:
    assert xlnet(tmp_path, *scored("น", "\u0e49", "\u0e33", "त", "\u0940", "\u0e4d", "\u0e32")).tokenize("ती") == [
        "▁",
        "त",
        "\u0940",
    ]


def test_xlnet_never_ends_a_piece_in_a_digit_and_a_comma(tmp_path: Path) -> None:
    tokens = xlnet(tmp_path, Piece("5,", -0.1), Piece("▁5,", -0.1), Piece("▁5,5", -0.1), Piece("a,", -0.1))
    assert tokens.tokenize("5, a,5, 5,5") == ["▁", "5", ",", "▁", "a,", "5", ",", "▁5,5"]


def test_xlnet_takes_the_blank_before_a_mask(tmp_path: Path) -> None:
    assert xlnet(tmp_path).tokenize("a <mask> e") == ["▁", "a", " <mask>", "▁", "e"]


def test_saving_and_reading_keeps_the_ids(tmp_path: Path) -> None:
    table = charsmap({"Ａ": "a", "e\u0301": "é"})
    released = write(tmp_path / "released", {"spiece.model": spiece([*SPECIAL, *LETTERS], table=table)})
    texts = ["Ａ e\u0301 5, <extra_id_3> <mask> a", "  ``u'' ", "", "xyz"]
    tokens = read(released, RECIPE)
    tokens.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "spiece.model").read_bytes() == (released / "spiece.model").read_bytes()
    assert read(tmp_path / "saved", RECIPE)(texts).input_ids == tokens(texts).input_ids
    assert read(tmp_path / "saved", None)(texts).input_ids == tokens(texts).input_ids
    (tmp_path / "saved" / "tokenizer.json").unlink()
    assert read(tmp_path / "saved", RECIPE)(texts).input_ids == tokens(texts).input_ids


def test_a_special_token_that_the_template_needs_must_be_there(tmp_path: Path) -> None:
    write(tmp_path, {"spiece.model": spiece([*SPECIAL[:3], *LETTERS])})
    with pytest.raises(TextError, match=r"tokenizer_config\.json: sep_token is '<sep>', which the vocabulary lacks"):
        read(tmp_path, RECIPE)
