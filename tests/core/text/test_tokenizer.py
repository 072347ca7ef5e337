"""Special tokens, added tokens, decoding, filling up, targets, and what a batch knows of its text."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import AddedToken

from tests.core.text.folders import VOCABULARY, small
from tfx_core.errors import InputError, TextError
from tfx_core.text import Batch, Tokenizer


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return small(tmp_path)


def test_roles_are_read_and_set(tokenizer: Tokenizer) -> None:
    assert (tokenizer.pad_token, tokenizer.pad_token_id) == ("[PAD]", 0)
    assert tokenizer.bos_token is None
    assert tokenizer.bos_token_id is None
    tokenizer.bos_token = tokenizer.cls_token
    tokenizer.eos_token_id = tokenizer.sep_token_id
    assert (tokenizer.bos_token_id, tokenizer.eos_token) == (tokenizer.cls_token_id, "[SEP]")
    assert tokenizer.special_tokens_map["eos_token"] == "[SEP]"
    assert len(tokenizer.all_special_tokens) == 5  # each token once
    tokenizer.mask_token = None
    assert "mask_token" not in tokenizer.special_tokens_map


def test_a_role_for_a_token_that_is_not_there_says_how_to_add_it(tokenizer: Tokenizer) -> None:
    with pytest.raises(TextError, match=r"'<pad>' is not in the vocabulary; add it: tokenizer\.add_special_tokens"):
        tokenizer.pad_token = "<pad>"
    assert tokenizer.pad_token == "[PAD]"
    assert tokenizer.add_special_tokens({"pad_token": "<pad>"}) == 1
    assert tokenizer.pad_token_id == len(VOCABULARY)
    with pytest.raises(InputError, match="names no role of a special token; roles are bos_token"):
        tokenizer.add_special_tokens({"padding_token": "<pad>"})


def test_added_tokens_are_found_whole(tokenizer: Tokenizer) -> None:
    before = tokenizer.tokenize("the [X]hello")
    assert tokenizer.add_tokens(["[X]", "hello"]) == 1  # "hello" is there already
    assert tokenizer.vocab_size == len(VOCABULARY)
    assert len(tokenizer) == len(VOCABULARY) + 1
    assert len(VOCABULARY) in tokenizer("the [X]hello [x]").input_ids
    assert len(before) > len(tokenizer.tokenize("the [X]hello")) == 3
    assert tokenizer.get_added_vocab()["[X]"] == len(VOCABULARY)
    assert tokenizer.add_tokens(AddedToken("<e>", lstrip=True), special_tokens=True) == 1
    ids = tokenizer("hello   <e>").input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == "hello"
    for bad in ("", 3):
        with pytest.raises(TextError, match="cannot be a token"):
            tokenizer.add_tokens([bad])  # type: ignore[list-item]


def test_special_tokens_without_a_role(tokenizer: Tokenizer) -> None:
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E1]", "[E2]"]})
    assert tokenizer.additional_special_tokens_ids == [len(VOCABULARY), len(VOCABULARY) + 1]
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["[E3]", "[E1]"]}, replace_additional_special_tokens=False
    )
    assert tokenizer.additional_special_tokens == ["[E1]", "[E2]", "[E3]"]
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E3]"]})
    assert tokenizer.additional_special_tokens == ["[E3]"]
    assert tokenizer.tokenize("[E1]") == ["[E1]"]  # still a token


def test_special_tokens_in_a_text_can_count_as_text(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokenize("[SEP]") == ["[SEP]"]
    split = tokenizer("[SEP]", split_special_tokens=True, add_special_tokens=False)
    assert tokenizer.sep_token_id not in split.input_ids
    tokenizer.split_special_tokens = True
    assert tokenizer("[SEP]", add_special_tokens=False) == split


def test_unknown_tokens_and_ids(tmp_path: Path, tokenizer: Tokenizer) -> None:
    assert tokenizer.convert_tokens_to_ids("no such token") == tokenizer.unk_token_id
    tokenizer.unk_token = None
    with pytest.raises(
        TextError, match="'no such token' is not in the vocabulary, and this tokenizer has no token for"
    ):
        tokenizer.convert_tokens_to_ids(["[SEP]", "no such token"])
    for number in (len(VOCABULARY), -1, 2**40):
        with pytest.raises(TextError, match=f"the id {number} is not in the vocabulary, which has {len(VOCABULARY)}"):
            tokenizer.convert_ids_to_tokens([0, number])


@pytest.mark.parametrize(
    "ids",
    [
        [2, 3],
        (2, 3),
        np.array([2, 3]),
        torch.tensor([2, 3]),
        [np.int64(2), np.int64(3)],
        [torch.tensor(2), torch.tensor(3)],
        torch.tensor([2, 3], dtype=torch.int32),
    ],
)
def test_ids_of_every_kind_are_decoded(ids: Any, tokenizer: Tokenizer) -> None:
    assert tokenizer.decode(ids) == tokenizer.decode([2, 3])
    assert tokenizer.batch_decode([ids, ids]) == [tokenizer.decode([2, 3])] * 2
    assert tokenizer.convert_ids_to_tokens(ids) == tokenizer.convert_ids_to_tokens([2, 3])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([5, -100], r"row 0, position 1: -100 is not a token id; replace it by pad_token_id"),
        ([5, 2**33], r"row 0, position 1: 8589934592 is not a token id$"),
        ([5, 999_999], r"row 0, position 1: no token has the id 999999, the vocabulary has 310; use the tok"),
        ([5, {}], r"row 0, position 1: \{\} is not a token id$"),
        ([5, 1.5], r"row 0, position 1: 1\.5 is not a token id$"),
        ([5, None], r"row 0, position 1: None is not a token id$"),
        ([[5, 6]], r"the ids of several texts; use batch_decode"),
        ("5", r"token ids of type str"),
    ],
)
def test_what_is_no_id_is_named(ids: Any, message: str, tokenizer: Tokenizer) -> None:
    with pytest.raises((TextError, InputError), match=message):
        tokenizer.decode(ids)


def test_targets_become_labels(tokenizer: Tokenizer) -> None:
    batch = tokenizer(["hello", "the quick"], text_target=["world", "brown fox"], padding=True, return_tensors="pt")
    assert torch.equal(batch.labels, tokenizer(["world", "brown fox"], padding=True, return_tensors="pt").input_ids)
    assert torch.equal(batch.input_ids, tokenizer(["hello", "the quick"], padding=True, return_tensors="pt").input_ids)
    assert tokenizer(text_target="world") == tokenizer("world")
    with pytest.raises(TextError, match=r"text_target\[0\] is None"):
        tokenizer(["hello"], text_target=[None])  # type: ignore[list-item]


def test_pad_names_what_is_missing_or_uneven(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="needs input_ids; it was given 'attention_mask'"):
        tokenizer.pad({"attention_mask": [[1]]})
    with pytest.raises(InputError, match="needs input_ids; it was given nothing"):
        tokenizer.pad([])
    with pytest.raises(InputError, match="different numbers of rows"):
        tokenizer.pad({"input_ids": [[1], [2]], "attention_mask": [[1]]})
    uneven = {"input_ids": [[1], [2, 3]], "labels": [[1], [2, 3]]}
    with pytest.raises(InputError, match="does not know what to fill 'labels' up with"):
        tokenizer.pad(uneven, return_tensors="pt")
    assert tokenizer.pad(uneven).labels == [[1], [2, 3]]
    even = tokenizer.pad({"input_ids": [[1], [2, 3]], "labels": [0, 1]}, return_tensors="pt")
    assert even.labels.tolist() == [0, 1]
    with pytest.raises(TextError, match="made of ids alone"):
        tokenizer.pad(uneven).word_ids(0)


def test_a_batch_maps_tokens_words_and_characters(tokenizer: Tokenizer) -> None:
    text = "tokenization, hello"
    batch = tokenizer(["hello", text], padding=True, padding_side="left")
    for row in (0, 1):
        for token, (start, end) in enumerate(batch.offsets(row)):
            if start < end:
                assert batch.char_to_token(row, start) == token
                assert batch.token_to_chars(row, token) == (start, end)
                assert batch.char_to_word(row, start) == batch.word_ids(row)[token] == batch.token_to_word(row, token)
    assert [batch.tokens(0)[0], batch.sequence_ids(0)[0], batch.word_ids(0)[0]] == ["[PAD]", None, None]
    span = batch.word_to_tokens(1, 0)
    assert span is not None
    assert "".join(batch.tokens(1)[span.start : span.end]).replace("##", "") == "tokenization"
    characters = batch.word_to_chars(1, 0)
    assert characters is not None
    assert text[characters.start : characters.end] == "tokenization"
    assert batch.token_to_chars(1, -2) == (14, 19)
    assert batch.word_to_tokens(1, 99) is None
    assert batch.word_to_chars(1, 99) is None
    with pytest.raises(IndexError):
        batch.token_to_word(0, -99)
    with pytest.raises(IndexError):
        batch.tokens(2)


def test_a_batch_is_a_mapping_with_attributes(tokenizer: Tokenizer) -> None:
    batch = tokenizer(["hello"], return_tensors="pt")
    assert list(batch) == list({**batch}) == ["input_ids", "token_type_ids", "attention_mask"]
    assert batch["input_ids"] is batch.input_ids
    assert batch[0].tokens == batch.encodings[0].tokens == ["[CLS]", "hello", "[SEP]"]
    with pytest.raises(AttributeError, match="has no 'labels'; it has input_ids, token_type_ids, attention_mask"):
        batch.labels  # noqa: B018
    assert batch.to("meta") is batch
    assert batch.input_ids.device.type == "meta"
    with pytest.raises(InputError, match="holds no tensors to move"):
        tokenizer("hello").to("cpu")


def test_batches_and_tokenizers_go_to_other_processes(tokenizer: Tokenizer) -> None:
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E1]"]})
    batch = tokenizer(["hello [E1]", "the"], padding=True)
    for again in (pickle.loads(pickle.dumps(batch)), copy.deepcopy(batch)):
        assert isinstance(again, Batch)
        assert again == batch
        assert again.tokens(1) == batch.tokens(1)
    for other in (pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        assert other(["hello [E1]", "the"], padding=True) == batch
        assert other.special_tokens_map == tokenizer.special_tokens_map
        assert other.add_tokens("[E2]") == 1
    assert tokenizer.tokenize("[E2]") != ["[E2]"]


def test_what_is_returned_can_be_chosen(tokenizer: Tokenizer) -> None:
    assert list(tokenizer("a", return_token_type_ids=False, return_attention_mask=False)) == ["input_ids"]
    tokenizer.model_input_names = ("input_ids",)
    assert list(tokenizer("a")) == ["input_ids"]
    assert list(tokenizer("a", return_token_type_ids=True)) == ["input_ids", "token_type_ids"]
    assert tokenizer.encode("a", "b") == tokenizer("a", "b").input_ids
    assert tokenizer.encode("a", return_tensors="np").shape == (1, 3)
