"""What a tokenizer accepts as text, and how it says what it does not accept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.text.folders import small
from tfx_core.errors import InputError, TextError
from tfx_core.text import Tokenizer


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return small(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None,), r"was given neither text nor text_target"),
        ((3,), r"^text is of type int; it must be a string, or a list of strings for a batch$"),
        ((b"bytes",), r"^text is of type bytes; decode them first"),
        ((np.array(["a"]),), r"^text is of type ndarray"),
        ((["ok", None],), r"^text\[1\] is None; it must be a string$"),
        ((["ok", 3, None],), r"^text\[1\] is of type int"),
        ((["ok", b"x"],), r"^text\[1\] is of type bytes; decode them first"),
        ((["ok", ["a", "b"]],), r"^text\[1\] is of type list of 2"),
        (([["a", "b", "c"]],), r"^text\[0\] is of type list of 3; .* a batch of words needs is_split_into_words=True"),
        (([("a", None)],), r"^text\[0\] is of type tuple of 2; in a batch of pairs it must be \(text, pair\)"),
        (("a", 3), r"^text_pair is of type int"),
        ((["a", "b"], ["c", None]), r"^text_pair\[1\] is None"),
        (("a\ud800b",), r"^text holds the lone surrogate '\\ud800' at character 1.*errors='replace'"),
        ((["ok", "\udfff"],), r"^text\[1\] holds the lone surrogate '\\udfff' at character 0"),
        ((["ok"], ["ab\udc00"]), r"^text_pair\[0\] holds the lone surrogate"),
    ],
)
def test_what_is_no_text_is_named(arguments: tuple[Any, ...], message: str, tokenizer: Tokenizer) -> None:
    with pytest.raises((TextError, InputError), match=message):
        tokenizer(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a b",), r"^text is of type str; with is_split_into_words=True it must be a list of words$"),
        ((["a", 3],), r"^text\[1\] is of type int"),
        (([["a"], "b"],), r"^text\[1\] is of type str; it must be a list of words$"),
        (([["a"], ["b", None]],), r"^text\[1\]\[1\] is None"),
        (([["a"]], [["b\ud800"]]), r"^text_pair\[0\] holds the lone surrogate"),
    ],
)
def test_what_are_no_words_is_named(arguments: tuple[Any, ...], message: str, tokenizer: Tokenizer) -> None:
    with pytest.raises(TextError, match=message):
        tokenizer(*arguments, is_split_into_words=True)


def test_a_batch_and_its_pairs_must_be_of_one_length(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="text has 2 texts, but text_pair has 1"):
        tokenizer(["a", "b"], ["c"])
    with pytest.raises(InputError, match="text is a batch of 2, so text_pair must be a list of 2 texts as well"):
        tokenizer(["a", "b"], "c")


def test_an_empty_text_is_a_text(tokenizer: Tokenizer) -> None:
    empty = [tokenizer.cls_token_id, tokenizer.sep_token_id]
    assert tokenizer("").input_ids == empty
    assert tokenizer(["", " "]).input_ids == [empty, empty]
    assert tokenizer([], is_split_into_words=True).input_ids == empty


def test_an_empty_pair_is_a_pair_however_it_is_given(tokenizer: Tokenizer) -> None:
    # transformers drops it from a single text, but not from a batch, so that there ids depend on batching.
    ids = tokenizer("hello", "").input_ids
    assert ids == tokenizer(["hello"], [""]).input_ids[0] == tokenizer([("hello", "")]).input_ids[0]
    assert ids.count(tokenizer.sep_token_id) == 2


def test_an_empty_batch_has_empty_columns_and_makes_no_tensor(tokenizer: Tokenizer) -> None:
    assert tokenizer([]) == {"input_ids": [], "token_type_ids": [], "attention_mask": []}
    assert tokenizer([], [], padding=True, truncation=True)["input_ids"] == []
    for kind in ("pt", "np"):
        with pytest.raises(InputError, match="text is an empty batch, which makes no tensor"):
            tokenizer([], padding=True, return_tensors=kind)  # type: ignore[arg-type]


def test_strings_of_other_classes_are_text(tokenizer: Tokenizer) -> None:
    assert tokenizer(np.array(["hello"])[0]).input_ids == tokenizer("hello").input_ids


def test_couples_are_pairs(tokenizer: Tokenizer) -> None:
    couples = tokenizer([("hello", "world"), ["the", "quick"]])
    assert couples == tokenizer(["hello", "the"], ["world", "quick"])


@pytest.mark.parametrize(
    "options",
    [{"unknown": 1}, {"max_len": 3}, {"is_pretokenized": True}, {"return_tensor": "pt"}],
)
def test_an_unknown_keyword_is_a_type_error(options: dict[str, Any], tokenizer: Tokenizer) -> None:
    with pytest.raises(TypeError, match=f"takes no '{next(iter(options))}'"):
        tokenizer("a", **options)
