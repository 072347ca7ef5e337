"""Tokenizers whose targets have a vocabulary of their own, and whose tokens another file numbers than cuts them."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers import models

from tests.core.text.folders import read, write
from tfx_core.checkpoint import Folder
from tfx_core.errors import InputError, TextError
from tfx_core.generation import TextStreamer
from tfx_core.generation.stopping import StopStrings
from tfx_core.text import Numbered, Recipe, Settings, TextFacts, Tokenizer
from tfx_core.text.recipes import Piece, read_sentencepiece, sentencepiece_tokenizer, template
from tfx_testing.sentencepiece_files import CONTROL, UNKNOWN, scored, spiece

ROLES = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
SOURCES = ["▁", *"abcdehlo", "▁hello", "▁all"]
TARGETS = ["▁", *"aceghlotu", "▁hallo", "▁all"]
NUMBERS = {
    "source": ["</s>", "<unk>", *SOURCES[:-1], "é", "<pad>"],  # of another model in part: it lacks ▁all
    "target": ["<pad>", "</s>", "<unk>", *reversed(TARGETS)],
}


BPE = 2


def model(pieces: list[str], algorithm: int = 1) -> bytes:
    control = [Piece("<unk>", kind=UNKNOWN), Piece("</s>", kind=CONTROL)]
    return spiece([*control, *scored(*pieces, first=-9.0, step=0.1)], algorithm=algorithm)


def numbered(folder: Folder, settings: Settings, side: str) -> Numbered:
    cuts = read_sentencepiece(folder.require(f"{side}.spm").read_bytes(), f"{side}.spm")
    cutter = sentencepiece_tokenizer(cuts, cuts.pieces)
    numbers = Backend(models.WordLevel({token: n for n, token in enumerate(NUMBERS[side])}, unk_token="<unk>"))
    numbers.decoder = cutter.decoder
    cutter.add_special_tokens([settings.special_tokens[role] for role in ROLES])
    for each in (cutter, numbers):
        each.post_processor = template("$A eos_token", "$A $B eos_token", each, settings)
    return Numbered(numbers, cutter)


def of_sources(folder: Folder, settings: Settings) -> Numbered:
    return numbered(folder, settings, "source")


def of_targets(folder: Folder, settings: Settings) -> Numbered:
    return numbered(folder, settings, "target")


FILES = ("source.spm", "target.spm")
RECIPE = Recipe(
    TextFacts("MarianTokenizer", ROLES), files=(FILES,), build=of_sources, build_target=of_targets, copied=FILES
)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return read(write(tmp_path, {"source.spm": model(SOURCES), "target.spm": model(TARGETS)}), RECIPE)


def tokens(ids: list[int], side: str) -> list[str]:
    return [NUMBERS[side][number] for number in ids]


def test_each_side_has_its_own_ids(tokenizer: Tokenizer) -> None:
    batch = tokenizer("hello old", text_target="hallo gut")
    assert tokens(batch.input_ids, "source") == ["▁hello", "▁", "o", "l", "d", "</s>"]
    assert tokens(batch.labels, "target") == ["▁hallo", "▁", "g", "u", "t", "</s>"]
    alone = [*batch.labels[:1], NUMBERS["target"].index("</s>")]
    assert tokenizer(text_target="hallo").input_ids == tokenizer.as_target()("hallo").input_ids == alone


def test_what_the_numbers_lack_is_unknown_and_what_no_piece_has_is_looked_up(tokenizer: Tokenizer) -> None:
    batch = tokenizer("all é éé")
    assert tokens(batch.input_ids, "source") == ["<unk>", "▁", "é", "▁", "<unk>", "</s>"]
    assert batch.tokens() == ["▁all", "▁", "é", "▁", "éé", "</s>"]
    assert tokens(tokenizer(text_target="all").input_ids, "target") == ["▁all", "</s>"]


def test_what_no_piece_of_a_bpe_model_has_is_looked_up(tmp_path: Path) -> None:
    files = {f"{side}.spm": model(pieces, BPE) for side, pieces in (("source", SOURCES[:-1]), ("target", TARGETS[:-1]))}
    tokenizer = read(write(tmp_path, files), RECIPE)
    batch = tokenizer("a é éé aéa")
    assert batch.tokens() == ["▁", "a", "▁", "é", "▁", "éé", "▁", "a", "é", "a", "</s>"]
    known = ["▁", "a", "▁", "é", "▁", "<unk>", "▁", "a", "é", "a", "</s>"]
    assert tokens(batch.input_ids, "source") == known
    assert tokens(tokenizer("e\u0301", text_target="é").labels, "target") == ["▁", "<unk>", "</s>"]
    cut = tokenizer("a é", "é", truncation="only_first", max_length=4, return_overflowing_tokens=True)
    assert tokens(cut.input_ids[0], "source") == ["▁", "▁", "é", "</s>"]
    words = tokenizer([["é", "xé"]], is_split_into_words=True)
    assert tokens(words.input_ids[0], "source") == ["▁", "é", "▁", "<unk>", "</s>"]
    assert pickle.loads(pickle.dumps(tokenizer))("é").input_ids == tokenizer("é").input_ids


def test_rows_are_filled_up_with_the_padding_of_their_side(tokenizer: Tokenizer) -> None:
    texts = ["all", "a b c"]
    sources, targets = tokenizer(texts, padding=True), tokenizer(text_target=texts, padding=True)
    assert sources.input_ids[0][-1] == NUMBERS["source"].index("<pad>") == tokenizer.pad_token_id
    assert targets.input_ids[0][-1] == NUMBERS["target"].index("<pad>") == tokenizer.as_target().pad_token_id
    assert tokenizer(texts, text_target=texts, padding=True).labels == targets.input_ids


def test_rows_as_the_library_describes_them_have_these_ids(tokenizer: Tokenizer) -> None:
    texts = ["hello all d", "a", "é"]
    for options in ({}, {"padding": True}, {"truncation": True, "max_length": 3, "return_overflowing_tokens": True}):
        batch = tokenizer(texts, **options)
        for each in (batch, pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
            assert [row.ids for row in each.encodings] == batch.input_ids
            assert [row.attention_mask for row in each.encodings] == batch.attention_mask
            assert each[0].ids == batch.input_ids[0]
    cut = tokenizer("hello all d", truncation=True, max_length=3)
    assert [row.ids for row in cut[0].overflowing] == [batch.input_ids[1]]
    assert [row.ids for row in batch.encodings[-2:]] == batch.input_ids[-2:]
    assert tokenizer("hello d").offsets() == [(0, 5), (5, 6), (6, 7), (0, 0)]


def test_texts_are_made_of_targets_unless_a_call_says_otherwise(tokenizer: Tokenizer) -> None:
    batch = tokenizer(["hello d"], text_target=["hallo gut"])
    assert tokenizer.batch_decode(batch.labels, skip_special_tokens=True) == ["hallo gut"]
    assert tokenizer.decode(batch.labels[0]) == "hallo gut</s>"
    assert tokenizer.decode(batch.input_ids[0], True, use_source_tokenizer=True) == "hello d"
    with pytest.raises(TextError, match="no token has the id 15, the vocabulary has 15"):
        tokenizer.decode([15])


def test_generated_text_is_that_of_targets(tokenizer: Tokenizer) -> None:
    ids = tokenizer(text_target="hallo gut").input_ids
    pieces: list[str] = []
    streamer = TextStreamer(tokenizer, write=pieces.append, skip_special_tokens=True)
    for number in ids:
        streamer.put(torch.tensor([number]))
    streamer.end()
    assert "".join(pieces) == "hallo gut"
    strings = StopStrings(["o g"], tokenizer)
    assert [strings._completed(ids[:end]) for end in range(1, 5)] == [False, False, True, False]


def test_tokens_and_ids_are_those_of_sources_and_as_target_those_of_targets(tokenizer: Tokenizer) -> None:
    for side, each in (("source", tokenizer), ("target", tokenizer.as_target())):
        known = NUMBERS[side]
        assert len(each) == each.vocab_size == len(known)
        assert each.get_vocab() == {token: number for number, token in enumerate(known)}
        assert each.convert_ids_to_tokens([*range(len(known))]) == known
        assert each.convert_tokens_to_ids(known) == [*range(len(known))]
        assert each.all_special_ids == [known.index(token) for token in ROLES.values()]
        assert each.build_inputs_with_special_tokens([5]) == [5, known.index("</s>")]
        assert each.num_special_tokens_to_add() == 1
        assert each.get_special_tokens_mask([5]) == [0, 1]


def test_what_is_added_is_added_to_both_sides(tokenizer: Tokenizer) -> None:
    aside = tokenizer.as_target()
    assert tokenizer.add_tokens(["zz", "▁hello"]) == 1
    assert tokenizer.add_special_tokens({"additional_special_tokens": ["<x>"]}) == 1
    batch = tokenizer("hello zz<x>", text_target="hallo zz<x>")
    first, first_of_targets = len(NUMBERS["source"]), len(NUMBERS["target"])
    assert batch.input_ids[1:] == [first, first + 1, tokenizer.eos_token_id]
    assert batch.labels[1:] == [first_of_targets, first_of_targets + 2, tokenizer.as_target().eos_token_id]
    assert tokenizer.decode(batch.labels, skip_special_tokens=True) == "hallozz"
    assert tokenizer.all_special_tokens[-1] == tokenizer.as_target().all_special_tokens[-1] == "<x>"
    assert len(aside) == len(NUMBERS["target"])
    with pytest.raises(TextError, match="not in the vocabulary; add it"):
        tokenizer.mask_token = "é"  # sources have it, targets do not
    assert tokenizer.mask_token is None
    assert tokenizer.as_target().mask_token is None


def pickled(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    return pickle.loads(pickle.dumps(tokenizer))  # type: ignore[no-any-return]


def copied(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    return copy.deepcopy(tokenizer)


def saved(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    written = {Path(path).name for path in tokenizer.save_pretrained(folder)}
    assert written == {*FILES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}
    return read(folder, RECIPE)


@pytest.mark.parametrize("again", [pickled, copied, saved])
def test_both_sides_go_wherever_a_tokenizer_goes(
    again: Callable[[Tokenizer, Path], Tokenizer], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    tokenizer.add_tokens("zz")
    tokenizer.add_special_tokens({"mask_token": "<m>"})
    other = again(tokenizer, tmp_path / "saved")
    texts = ["hello zz", "all é", "<m>zz", ""]
    assert dict(other(texts, text_target=texts)) == dict(tokenizer(texts, text_target=texts))
    assert other.decode([3, 4, 5]) == tokenizer.decode([3, 4, 5])


def test_one_side_is_not_saved(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="save the tokenizer that it was made of"):
        tokenizer.as_target().save_pretrained(tmp_path)


def test_a_tokenizer_json_holds_one_side(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="tokenizer.json is not read: it holds one side"):
        both = read(write(tmp_path, {"tokenizer.json": tokenizer.vocabulary.backend.to_str()}), RECIPE)
    assert dict(both("hello", text_target="hallo")) == dict(tokenizer("hello", text_target="hallo"))
    (tmp_path / "target.spm").unlink()
    alone = read(tmp_path, RECIPE)
    assert alone.target_vocabulary is alone.vocabulary


def test_a_file_of_one_side_that_is_missing_is_told(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "target.spm").unlink()
    wanted = "there is source.spm alone; it needs tokenizer.json, or source.spm with target.spm"
    with pytest.raises(TextError, match=wanted):
        read(tmp_path, RECIPE)


def test_a_damaged_file_of_targets_is_told(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"target\.spm"):
        read(write(tmp_path, {"target.spm": b"\x0a\x02"}), RECIPE)


def test_there_is_one_target_for_each_text(tokenizer: Tokenizer) -> None:
    for texts, targets in ((["hello"], ["gut", "hallo"]), (["hello", "old"], "gut")):
        with pytest.raises(InputError, match=f"text_target has {len(targets) if targets != 'gut' else 1} texts, text"):
            tokenizer(texts, text_target=targets)
    assert len(tokenizer(["hello all"], text_target=["gut"], return_length=True).labels) == 1
