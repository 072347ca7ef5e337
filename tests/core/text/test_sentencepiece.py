"""SentencePiece models as tokenizers: which piece is found where, and what families put around them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.core.text.folders import read, write
from tfx_core.errors import TextError
from tfx_core.text import Recipe, TextFacts, Tokenizer
from tfx_core.text.recipes import FAIRSEQ_TOKENS, fairseq_order, sentencepiece_recipe
from tfx_core.text.recipes.sentencepiece import segmenter
from tfx_core.text.sentencepiece_model import Algorithm, Piece, SentencePieceModel, read_sentencepiece
from tfx_testing.sentencepiece_files import (
    BYTE,
    BYTES,
    CONTROL,
    UNKNOWN,
    UNUSED,
    USER,
    charsmap,
    field,
    piece_field,
    scored,
    spiece,
)

FACTS = TextFacts("T5Tokenizer", {"unk_token": "<unk>", "eos_token": "</s>"})
PLAIN = sentencepiece_recipe(FACTS, single="$A", pair="$A $B")
SPECIAL = (Piece("<unk>", 0.0, UNKNOWN), Piece("<s>", 0.0, CONTROL), Piece("</s>", 0.0, CONTROL))

KEEP_BLANKS = field(4, 0)
NO_PREFIX = field(3, 0)
NO_ESCAPE = field(5, 0)
SUFFIX = field(24, 1)
BYTE_FALLBACK = field(35, 1)


def tokenizer(folder: Path, pieces: Iterable[Piece], recipe: Recipe = PLAIN, **options: Any) -> Tokenizer:
    return read(write(folder, {"spiece.model": spiece(pieces, **options)}), recipe)


# -- Unigram -----------------------------------------------------------------------------------------------------------


def test_the_cut_with_the_highest_score_is_taken(tmp_path: Path) -> None:
    pieces = [*SPECIAL, Piece("▁a", -2.0), Piece("b", -3.0), Piece("▁ab", -5.5), Piece("▁", -1.0), Piece("a", -4.0)]
    assert tokenizer(tmp_path, pieces).tokenize("ab a") == ["▁a", "b", "▁a"]
    pieces[5] = Piece("▁ab", -4.5)
    assert tokenizer(tmp_path, pieces).tokenize("ab a") == ["▁ab", "▁a"]


def test_blanks_are_collapsed_and_a_text_begins_with_one(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path, [*SPECIAL, *scored("▁", "a", "▁a")])
    assert tokens.tokenize("  a   a ") == ["▁a", "▁a"]
    assert tokens.tokenize("") == tokens.tokenize("   ") == []


def test_blanks_are_kept_where_the_model_says_so(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *scored("▁▁", "a", "▁a", "▁")]
    assert tokenizer(tmp_path, pieces, normalizer=KEEP_BLANKS).tokenize(" a  ") == ["▁▁", "a", "▁▁"]
    assert tokenizer(tmp_path, pieces, normalizer=NO_PREFIX).tokenize(" a  a") == ["a", "▁a"]
    pieces = [*SPECIAL, *scored(" ", "a", " a")]
    assert tokenizer(tmp_path, pieces, normalizer=NO_ESCAPE).tokenize("a  a") == [" a", " a"]


def test_a_model_can_end_words_with_blanks(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path, [*SPECIAL, *scored("a▁", "b▁", "a", "b", "▁")], trainer=SUFFIX)
    assert tokens.tokenize("b a ab") == ["b▁", "a▁", "a", "b▁"]


def test_pieces_can_reach_over_blanks(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path, [*SPECIAL, *scored("▁a▁b", "▁a", "▁b", "▁", "a", "b")])
    assert tokens.tokenize("a b a") == ["▁a▁b", "▁a"]


def test_a_run_of_unknown_characters_is_one_token(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path, [*SPECIAL, *scored("▁", "a", "▁a")])
    assert tokens("axyz xa").input_ids == [5, 0, 3, 0, 4]


def test_unknown_characters_are_spelled_in_bytes(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *BYTES, *scored("▁", "a", "<", "0", "x", ">", "4", "1")]
    tokens = tokenizer(tmp_path, pieces, trainer=BYTE_FALLBACK)
    ids = tokens("a é").input_ids
    assert tokens.convert_ids_to_tokens(ids) == ["▁", "a", "▁", "<0xC3>", "<0xA9>"]
    assert tokens.decode(ids) == "a é"
    assert tokens.tokenize("<0x41>") == ["▁", "<", "0", "x", "4", "1", ">"]  # a text, not a byte


@pytest.mark.parametrize("kind", [CONTROL, UNUSED])
def test_pieces_that_stand_for_no_text_are_not_found_in_one(kind: Any, tmp_path: Path) -> None:
    pieces = [*SPECIAL, Piece("<x>", 0.0, kind), *scored("▁", "<", "x", ">", "u", "n", "k", first=-9.0)]
    tokens = tokenizer(tmp_path, pieces)
    assert tokens.tokenize("<x>") == ["▁", "<", "x", ">"]
    assert tokens.convert_tokens_to_ids("<x>") == 3
    unknown = tokens("<unk>", split_special_tokens=True).input_ids
    assert tokens.convert_ids_to_tokens(unknown) == ["▁", "<", "u", "n", "k", ">"]


def test_pieces_that_stand_for_no_text_are_not_found_where_their_characters_are_unknown(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *BYTES, *scored("s>", "▁", "s", ">", "/", "0", "x", "4", "1")]  # no <, as in T5
    tokens = tokenizer(tmp_path, pieces, replace(PLAIN, facts=TextFacts("T5Tokenizer", {"unk_token": "<unk>"})))
    ids = tokens("</s>s> <0x41>").input_ids
    assert tokens.convert_ids_to_tokens(ids) == ["▁", "<unk>", "/", "s>", "s>", "▁", "<unk>", *"0x41>"]
    plain = tokenizer(tmp_path, pieces)("s</s>", split_special_tokens=True).input_ids
    assert tokens.convert_ids_to_tokens(plain) == ["▁", "s", "<unk>", "/", "s>"]


def test_user_defined_pieces_are_found_first_and_begin_no_text(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *scored("▁", "a", "b", "ab", "▁a", ";", ">", first=-3.0), Piece("<a;b>", 0.0, USER)]
    pieces += [Piece(".", 0.0, USER), Piece("<", -3.0)]
    tokens = tokenizer(tmp_path, pieces)
    assert tokens.tokenize("a<a;b>a b.a") == ["▁a", "<a;b>", "a", "▁", "b", ".", "a"]


def test_user_defined_pieces_are_kept_from_the_normalizer(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *scored("▁", "a", "A", "é"), Piece("Ａ", 0.0, USER), Piece("e", 0.0, USER)]
    tokens = tokenizer(tmp_path, pieces, table=charsmap({"Ａ": "A", "ａ": "a", "e\u0301": "é"}))
    assert tokens.tokenize("Ａａe\u0301é") == ["▁", "Ａ", "a", "e", "\u0301", "é"]


def test_every_stretch_between_special_tokens_is_a_text_of_its_own(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path, [*SPECIAL, *scored("▁", "a", "▁a")])
    assert tokens.tokenize("a</s>a </s>  </s> a") == ["▁a", "</s>", "▁a", "</s>", "</s>", "▁a"]


def test_the_normalizer_of_the_model_is_applied(tmp_path: Path) -> None:
    table = charsmap({"Ａ": "a", "\t": " ", "\u3000": " ", "e\u0301": "é", "\x01": ""})
    tokens = tokenizer(tmp_path, [*SPECIAL, *scored("▁", "a", "▁a", "é", "▁é")], table=table)
    assert tokens.tokenize("\t Ａ\u3000\t\x01e\u0301\x01 ") == ["▁a", "▁é"]
    assert tokens.tokenize("\x01") == []


# -- BPE ---------------------------------------------------------------------------------------------------------------


def test_bpe_joins_the_best_pair_first(tmp_path: Path) -> None:
    pieces = [*SPECIAL, *scored("ab", "bc", "▁ab", "abc", "▁", "a", "b", "c")]
    tokens = tokenizer(tmp_path, pieces, algorithm=2)
    assert tokens.tokenize("abc abcbc") == ["▁ab", "c", "▁ab", "c", "bc"]
    assert tokens("xya").input_ids == [7, 0, 8]
    assert tokens.tokenize("<s>") == ["▁", "<unk>"]  # < s > are no pieces, and <s> stands for no text


def test_bpe_spells_unknown_characters_in_bytes(tmp_path: Path) -> None:
    tokens = tokenizer(tmp_path, [*SPECIAL, *BYTES, *scored("▁", "a")], algorithm=2, trainer=BYTE_FALLBACK)
    assert tokens.tokenize("aé") == ["▁", "a", "<0xC3>", "<0xA9>"]


@pytest.mark.parametrize(
    ("pieces", "algorithm", "problem"),
    [
        ([Piece("<x>", 0.0, USER)], 2, "user-defined pieces of several characters"),
        ([Piece("x", 0.0, UNUSED)], 2, "pieces of the type UNUSED"),
        ([Piece("ab", -1.0)], 2, "a character in pieces that is no piece .'b'."),
        ([], 3, "model_type is WORD"),
        ([], 4, "model_type is CHAR"),
    ],
)
def test_what_cannot_be_done_exactly_is_refused(
    pieces: list[Piece], algorithm: int, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(TextError, match=rf"spiece\.model: .*{problem}"):
        tokenizer(tmp_path, [*SPECIAL, *pieces, *scored("▁", "a")], algorithm=algorithm)


# -- the file ----------------------------------------------------------------------------------------------------------

GOOD = spiece([*SPECIAL, *scored("▁", "a")])
SPECIFICATIONS = GOOD[GOOD.rindex(field(2, field(3, 1))) :]


def file_with(*parts: bytes) -> bytes:
    return b"".join(map(piece_field, SPECIAL)) + b"".join(parts) + SPECIFICATIONS


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "has no pieces and no trainer_spec and no normalizer_spec"),
        (GOOD[: GOOD.rindex(field(2, field(3, 1)))], "no trainer_spec and no normalizer_spec: it is cut short"),
        (GOOD[:-3], "at byte .* needs"),
        (b"not a model at all", "is text, .* and begins with .not a model at all."),
        (b"\x00\x01", "number 0"),
        (b"\x0b\x01", "wire type 3"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", "needs 1844"),
        (b"\x08" + b"\xff" * 11, "longer than ten bytes"),
        (b"\x0a\x80", "cut off"),
        (field(1, 5), "field 1 is a varint where a length and bytes belongs"),
        (file_with(field(1, field(1, 7))), "field 1 is a varint"),
        (file_with(field(1, field(1, b"a") + field(2, 3))), "field 2 is a varint where 4 bytes belongs"),
        (file_with(field(1, field(1, b"a") + field(3, 9))), "the type of piece 3 .'a'. is 9"),
        (file_with(field(1, field(1, b"a") + field(2, float("nan")))), "the score of piece 3 .'a'. is nan"),
        (file_with(field(1, field(1, b"\xff\xfe"))), r"piece 3 is b'\\xff\\xfe', which is not UTF-8"),
        (file_with(field(1, field(2, 1.0))), "piece 3 has no text"),
        (file_with(piece_field(SPECIAL[1])), "pieces 1 and 3 are both '<s>'"),
        (file_with(piece_field(Piece("?", 0.0, UNKNOWN))), "2 pieces are of the type UNKNOWN"),
        (spiece(scored("a")), "0 pieces are of the type UNKNOWN"),
        (spiece(SPECIAL, algorithm=9), "model_type is 9"),
        (spiece(SPECIAL, trainer=BYTE_FALLBACK), "256 of the 256 byte pieces are absent"),
        (spiece([*SPECIAL, *BYTES[:255]], trainer=BYTE_FALLBACK), "1 of the 256 byte pieces"),
        (spiece(SPECIAL, table=b"\xff" * 20), "precompiled_charsmap is damaged"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_file_and_place(data: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=rf"spiece\.model: .*{problem}"):
        read(write(tmp_path, {"spiece.model": data}), PLAIN)


def test_a_file_cut_off_anywhere_is_never_read(tmp_path: Path) -> None:
    for length in range(len(GOOD)):
        with pytest.raises(TextError, match=r"spiece\.model: .*(fetch|must be)"):
            read_sentencepiece(GOOD[:length], "spiece.model")


def test_unknown_fields_are_stepped_over() -> None:
    extra = (
        field(200, b"later") + field(201, 5) + field(202, 1.5) + bytes([203 << 3 & 0x7F | 0x81, 203 >> 4]) + b"8bytes.."
    )
    model = read_sentencepiece(extra + GOOD + extra, "spiece.model")
    assert model.pieces == (*SPECIAL, *scored("▁", "a"))
    assert (model.unk_id, model.algorithm, model.add_dummy_prefix) == (0, Algorithm.UNIGRAM, True)


def test_fields_that_are_left_out_have_the_defaults_of_the_format() -> None:
    model = read_sentencepiece(b"".join(map(piece_field, SPECIAL)) + field(2, b"") + field(3, b""), "spiece.model")
    assert model == SentencePieceModel(SPECIAL, 0, label="spiece.model")


def test_a_segmenter_takes_another_order_of_ids() -> None:
    model = read_sentencepiece(GOOD, "spiece.model")
    pieces = [Piece("<pad>", kind=CONTROL), *reversed(model.pieces)]
    assert segmenter(model, pieces).token_to_id("<unk>") == 5
    assert [each.id for each in segmenter(model, pieces).tokenize("▁ax")] == [2, 1, 5]


def test_families_arrange_ids_as_they_like(tmp_path: Path) -> None:
    recipe = sentencepiece_recipe(
        FACTS,
        single="$A",
        pair="$A $B",
        arrange=lambda pieces, settings: [Piece("<pad>", kind=CONTROL), *pieces],
    )
    tokens = tokenizer(tmp_path, [*SPECIAL, *scored("▁", "a"), Piece("<0x00>", 0.0, BYTE)], recipe)
    assert tokens("ax").input_ids == [4, 5, 1]


FAIRSEQ = sentencepiece_recipe(TextFacts("x", FAIRSEQ_TOKENS), single="$A", pair="$A $B", arrange=fairseq_order)


@pytest.mark.parametrize("first", [("<unk>", "<s>", "</s>"), ("<s>", "</s>", "<unk>")])
def test_a_dictionary_of_fairseq_has_an_order_of_its_own(first: tuple[str, ...], tmp_path: Path) -> None:
    special = [Piece(text, 0.0, UNKNOWN if text == "<unk>" else CONTROL) for text in first]
    tokens = tokenizer(tmp_path, [*special, *scored("▁", "a")], FAIRSEQ)
    assert sorted(tokens.vocab, key=tokens.vocab.__getitem__) == ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "<mask>"]
    assert tokens("a x  <mask>").input_ids == [4, 5, 4, 3, 6]


def test_a_model_that_begins_otherwise_has_no_such_order(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"first pieces are '<pad>', '<unk>', '<s>'; they must be <unk>, <s> and </s>,"):
        tokenizer(tmp_path, [Piece("<pad>", 0.0, CONTROL), *SPECIAL, *scored("▁", "a")], FAIRSEQ)


def test_a_saved_tokenizer_has_the_model_file_that_it_was_made_of(tmp_path: Path) -> None:
    tokenizer = read(write(tmp_path / "a", {"spiece.model": GOOD}), PLAIN)
    write(tmp_path / "a", {"spiece.model": "another's by now"})
    tokenizer.save_pretrained(tmp_path / "b")
    assert (tmp_path / "b" / "spiece.model").read_bytes() == GOOD
