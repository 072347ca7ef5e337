"""Cutting and filling up: what each option does, and which options contradict each other."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.core.text.folders import small
from tfx_core.errors import InputError
from tfx_core.text import UNLIMITED, Tokenizer

LETTERS = "a b c d e f g h i j"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return small(tmp_path, {"model_max_length": 8})


def text_of(tokenizer: Tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True)


def test_rows_are_cut_only_where_a_call_asks_for_it(tokenizer: Tokenizer) -> None:
    assert len(tokenizer(LETTERS).input_ids) == 12
    assert len(tokenizer(LETTERS, truncation=True).input_ids) == 8
    assert len(tokenizer(LETTERS, truncation=True, max_length=5).input_ids) == 5
    assert len(tokenizer(LETTERS, max_length=5).input_ids) == 5
    assert len(tokenizer(LETTERS, truncation=False).input_ids) == 12
    assert len(tokenizer(LETTERS, truncation="do_not_truncate", padding="do_not_pad").input_ids) == 12


def test_without_a_limit_nothing_is_cut(tmp_path: Path) -> None:
    for stored in (None, 1e30, 10**30, 1000000000000000019884624838656):
        tokenizer = small(tmp_path, {"model_max_length": stored})
        assert tokenizer.model_max_length == UNLIMITED
        assert len(tokenizer(LETTERS, truncation=True).input_ids) == 12
        with pytest.raises(InputError, match="takes texts of any length"):
            tokenizer(LETTERS, padding="max_length")


def test_overflow_covers_the_text_with_overlap(tokenizer: Tokenizer) -> None:
    batch = tokenizer(["a b", LETTERS], truncation=True, max_length=6, stride=1, return_overflowing_tokens=True)
    assert batch.overflow_to_sample_mapping == [0, 1, 1, 1]
    texts = [text_of(tokenizer, ids) for ids in batch.input_ids]
    assert texts == ["a b", "a b c d", "d e f g", "g h i j"]


def test_the_second_text_alone_is_cut(tokenizer: Tokenizer) -> None:
    options: dict[str, Any] = {"truncation": "only_second", "max_length": 7, "return_overflowing_tokens": True}
    batch = tokenizer("a b", "c d e f", **options)
    assert [text_of(tokenizer, ids) for ids in batch.input_ids] == ["a b c d", "a b e f"]
    assert batch.token_type_ids == [[0, 0, 0, 0, 1, 1, 1]] * 2


@pytest.mark.parametrize(("side", "kept"), [("right", "a b c"), ("left", "h i j")])
def test_the_side_that_is_cut(side: str, kept: str, tokenizer: Tokenizer) -> None:
    tokenizer.truncation_side = side  # type: ignore[assignment]
    assert text_of(tokenizer, tokenizer(LETTERS, max_length=5).input_ids) == kept


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_is_masked_and_on_its_side(side: str, tokenizer: Tokenizer) -> None:
    batch = tokenizer(["a", "a b c"], padding=True, padding_side=side, return_tensors="pt")  # type: ignore[arg-type]
    mask = [[0, 0, 1, 1, 1], [1] * 5] if side == "left" else [[1, 1, 1, 0, 0], [1] * 5]
    assert batch.attention_mask.tolist() == mask
    assert (batch.input_ids[batch.attention_mask == 0] == tokenizer.pad_token_id).all()
    unpadded = tokenizer(["a", "a b c"]).input_ids
    assert batch.input_ids[batch.attention_mask == 1].tolist() == [*unpadded[0], *unpadded[1]]
    tokenizer.padding_side = side  # type: ignore[assignment]
    assert torch.equal(tokenizer(["a", "a b c"], padding=True, return_tensors="pt").input_ids, batch.input_ids)


def test_padding_has_the_token_type_of_the_family(tokenizer: Tokenizer) -> None:
    tokenizer.pad_token_type_id = 3
    assert tokenizer(["a", "a b"], padding=True).token_type_ids == [[0, 0, 0, 3], [0, 0, 0, 0]]


def test_lengths_of_padding(tokenizer: Tokenizer) -> None:
    def lengths(**options: Any) -> list[int]:
        return [len(row) for row in tokenizer(["a", "a b c"], **options).input_ids]

    assert lengths() == [3, 5]
    assert lengths(padding=True) == lengths(padding="longest") == [5, 5]
    assert lengths(padding="max_length") == [8, 8]
    assert lengths(padding="max_length", max_length=6) == [6, 6]
    assert lengths(padding="max_length", max_length=4) == [4, 5]  # filling up does not cut
    assert lengths(padding=True, pad_to_multiple_of=4) == [8, 8]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truncation": "longest"}, "truncation='longest'; it must be True, False or one of longest_first"),
        ({"padding": "all"}, "padding='all'; it must be True, False, 'longest' or 'max_length'"),
        ({"return_tensors": "tf"}, "return_tensors='tf'; it must be 'pt'"),
        ({"padding": True, "padding_side": "both"}, "padding_side='both'; it must be 'left' or 'right'"),
        ({"truncation": True, "max_length": 1}, "max_length=1 leaves no room for the 2 special tokens"),
        ({"truncation": True, "max_length": -1}, "max_length=-1 leaves no room"),
        ({"truncation": True, "max_length": 5, "stride": 3}, "stride=3 must be less than the 3 tokens of text"),
        ({"truncation": True, "stride": -1}, "stride=-1 must be less"),
        ({"stride": 1}, "stride=1 has no effect without truncation"),
        ({"max_length": 4, "padding": True}, "max_length=4 has no effect with .* pass truncation=True"),
        ({"max_length": 4, "truncation": False}, "max_length=4 has no effect"),
        ({"truncation": "only_second"}, "needs pairs of texts"),
        ({"pad_to_multiple_of": 8}, "has no effect without padding"),
        ({"pad_to_multiple_of": 0, "padding": True}, "it must be at least 1"),
        (
            {"pad_to_multiple_of": 8, "padding": True, "truncation": True, "max_length": 10},
            "pad_to_multiple_of=8 does not divide max_length=10",
        ),
    ],
)
def test_arguments_that_contradict_each_other(options: dict[str, Any], message: str, tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=message):
        tokenizer("a b c", **options)


@pytest.mark.parametrize(
    ("strategy", "stride", "first", "second", "message"),
    [
        ("only_first", 0, "a b", LETTERS, r"text\[1\]: 2 and 10 tokens; .*leaves 0 of the one that is cut"),
        ("only_second", 0, LETTERS, "a b", r"text\[1\]: 10 and 2 tokens"),
        ("only_second", 2, "a b c", LETTERS, r"text\[1\]: 3 and 10 tokens; .*leaves 2 .* more than stride=2"),
        ("longest_first", 3, LETTERS, LETTERS, r"text\[1\]: 10 and 10 tokens; .*leaves 2 .* more than stride=3"),
    ],
)
def test_a_pair_that_cannot_be_cut_is_named(
    strategy: Any, stride: int, first: str, second: str, message: str, tokenizer: Tokenizer
) -> None:
    with pytest.raises(InputError, match=message):
        tokenizer(["a", first], ["b", second], truncation=strategy, stride=stride)


def test_rows_of_different_length_make_no_tensor(tokenizer: Tokenizer) -> None:
    for kind in ("pt", "np"):
        with pytest.raises(InputError, match=r"row 0 has 3 tokens and others 5.*padding=True.*truncation=True"):
            tokenizer(["a", "a b c"], return_tensors=kind)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="row 1 has 5 tokens and others 4"):
        tokenizer(["a", "a b c"], padding="max_length", max_length=4, return_tensors="pt")


def test_padding_needs_a_pad_token(tmp_path: Path) -> None:
    tokenizer = small(tmp_path, {"pad_token": None})
    assert tokenizer.pad_token_id is None
    with pytest.raises(InputError, match="no pad_token to pad with; set one"):
        tokenizer(["a"], padding=True)
    tokenizer.pad_token = tokenizer.sep_token
    assert tokenizer(["a", "a b"], padding=True).input_ids[0][-1] == tokenizer.sep_token_id
