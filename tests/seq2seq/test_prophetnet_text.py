"""Text of ProphetNet and XLM-ProphetNet, whose two kinds of vocabulary have files of one name."""

from pathlib import Path

import pytest

from tests.core.text.folders import VOCABULARY, read, write
from tfx_core.errors import TextError
from tfx_core.text.recipes import Piece
from tfx_seq2seq.prophetnet.text import RECIPE as PROPHETNET
from tfx_seq2seq.xlm_prophetnet.text import RECIPE as XLM_PROPHETNET
from tfx_testing.sentencepiece_files import CONTROL, LETTERS, UNKNOWN, spiece

WORDS = ["[X_SEP]" if token == "[unused0]" else token for token in VOCABULARY]
WORDS = WORDS if "[X_SEP]" in WORDS else [*WORDS, "[X_SEP]"]
PIECES = [Piece("<unk>", 0.0, UNKNOWN), Piece("<s>", 0.0, CONTROL), Piece("</s>", 0.0, CONTROL), *LETTERS]
FILE = "prophetnet.tokenizer"


def test_texts_end_and_nothing_begins_them(tmp_path: Path) -> None:
    words = read(write(tmp_path / "words", {FILE: WORDS}), PROPHETNET)
    pieces = read(write(tmp_path / "pieces", {FILE: spiece(PIECES)}), XLM_PROPHETNET)
    for tokens in (words, pieces):
        batch = tokens("a", "e", return_token_type_ids=True)
        assert [token for token in batch.tokens() if token != "▁"] == ["a", "[SEP]", "e", "[SEP]"]
        assert set(tokens("a")) == {"input_ids", "attention_mask"}
        assert tokens.decode(batch.input_ids, skip_special_tokens=True) == "a e"


def test_the_token_between_sentences_is_found_whole_where_there_is_one(tmp_path: Path) -> None:
    write(tmp_path, {FILE: WORDS})
    for stated in ("[X_SEP]", {"content": "[X_SEP]", "lstrip": False}):
        write(tmp_path, {"special_tokens_map.json": {"x_sep_token": stated}})
        tokens = read(tmp_path, PROPHETNET)
        assert tokens.tokenize("a[X_SEP] b") == ["a", "[X_SEP]", "b"]
        assert tokens.decode(tokens("a [X_SEP] b").input_ids, skip_special_tokens=True) == "a b"
        assert len(tokens) == len(WORDS)
    assert "[X_SEP]" not in read(tmp_path, PROPHETNET, x_sep_token=None).tokenize("a[X_SEP] b")
    bare = [token for token in WORDS if token != "[X_SEP]"]
    write(tmp_path / "bare", {FILE: bare, "tokenizer_config.json": {"x_sep_token": "[X_SEP]"}})
    assert len(read(tmp_path / "bare", PROPHETNET)) == len(bare)
    with pytest.raises(TextError, match="x_sep_token=3: must be a string"):
        read(tmp_path, PROPHETNET, x_sep_token=3)


def test_berts_tokens_stand_before_the_pieces(tmp_path: Path) -> None:
    tokens = read(write(tmp_path, {FILE: spiece(PIECES)}), XLM_PROPHETNET)
    first = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *(f"[unused{number}]" for number in range(10))]
    assert tokens.convert_ids_to_tokens(list(range(16))) == [*first, PIECES[3].text]
    assert len(tokens) == len(PIECES) + 12
    assert (tokens.bos_token_id, tokens.eos_token_id, tokens.unk_token_id) == (2, 2, 3)
    assert tokens("x").input_ids == [tokens.convert_tokens_to_ids("▁"), 3, 2]


@pytest.mark.parametrize("kept", [["tokenizer.json"], [FILE]])
def test_saving_and_reading_keeps_the_ids(kept: list[str], tmp_path: Path) -> None:
    texts = ["a [X_SEP] e", "[MASK] É, i", "", "[unused1] o"]
    for name, contents, recipe in (("words", WORDS, PROPHETNET), ("pieces", spiece(PIECES), XLM_PROPHETNET)):
        tokens = read(write(tmp_path / name, {FILE: contents}), recipe)
        folder = tmp_path / f"{name}, saved"
        assert {FILE, "tokenizer.json"} <= {Path(path).name for path in tokens.save_pretrained(folder)}
        for file in {FILE, "tokenizer.json"} - {*kept}:
            (folder / file).unlink()
        again = read(folder, recipe)
        assert again(texts).input_ids == tokens(texts).input_ids
        assert again.special_tokens_map == tokens.special_tokens_map


def test_swapped_files_are_errors_that_say_so(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=rf"{FILE}: byte \d+ is not UTF-8; it is a SentencePiece model"):
        read(write(tmp_path / "pieces", {FILE: spiece(PIECES)}), PROPHETNET)
    with pytest.raises(TextError, match=rf"{FILE}: is text, perhaps a vocabulary .* begins with '\[PAD\]': it is no"):
        read(write(tmp_path / "words", {FILE: WORDS}), XLM_PROPHETNET)


def test_a_model_of_another_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"first pieces are '<s>', '<unk>', '</s>'; they must be <unk>, <s> and </s>"):
        read(write(tmp_path, {FILE: spiece([PIECES[1], PIECES[0], *PIECES[2:]])}), XLM_PROPHETNET)
