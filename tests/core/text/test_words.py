"""Vocabularies of words: words, the files that hold them, and files that would rather do something else."""

import io
import os
import pickle
import re
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.core.text.folders import read, write
from tfx_core.errors import TextError
from tfx_core.text import TextFacts, Tokenizer
from tfx_core.text.recipes import words_recipe

RECIPE = words_recipe(TextFacts("TransfoXLTokenizer", {"eos_token": "<eos>", "unk_token": "<unk>"}, ("<formula>",)))
WORDS = "the cat sat . , don 't 1 000 @,@ @.@ 5 @-@ known well \" U.S. $"
VOCABULARY = ["<eos>", "<unk>", "<formula>", *WORDS.split()]


def contents(words: list[str] = VOCABULARY, **more: object) -> dict[str, object]:
    """What the released pickles hold."""
    return {
        "counter": Counter(dict.fromkeys(words, 10)),
        "special": ["<eos>"],
        "min_freq": 0,
        "max_size": None,
        "lower_case": False,
        "delimiter": None,
        "vocab_file": None,
        "idx2sym": list(words),
        "sym2idx": OrderedDict((word, number) for number, word in enumerate(words)),
        "eos_idx": 0,
        "unk_idx": 1,
    } | more


def torch_file(value: object, archive: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=archive)
    return stream.getvalue()


FILES: dict[str, tuple[str, bytes]] = {
    **{f"pickle {protocol}": ("vocab.pkl", pickle.dumps(contents(), protocol)) for protocol in (2, 3, 4, 5)},
    "torch archive": ("vocab.bin", torch_file(contents(), archive=True)),
    "torch before archives": ("vocab.bin", torch_file(contents(), archive=False)),
    "torch file named pkl": ("vocab.pkl", torch_file(contents(), archive=False)),
    "lines": ("vocab.txt", "".join(f"{word}\n" for word in VOCABULARY).encode()),
    "lines with counts": ("vocab.txt", "\r\n".join(f"{word} 12" for word in [*VOCABULARY, "the"]).encode()),
}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return read(write(tmp_path, {"vocab.pkl": pickle.dumps(contents())}), RECIPE)


@pytest.mark.parametrize("form", FILES)
def test_every_form_of_the_file_gives_the_same_ids(form: str, tmp_path: Path) -> None:
    name, data = FILES[form]
    tokens = read(write(tmp_path, {name: data}), RECIPE)
    assert tokens.get_vocab() == {word: number for number, word in enumerate(VOCABULARY)}
    assert tokens("the cat xyz .").input_ids == [3, 4, 1, 6]


def test_texts_are_split_as_those_of_the_corpus(tokenizer: Tokenizer) -> None:
    ids = tokenizer('The cat, the well-known cat don\'t sit: $1,000.5 <eos>the "U.S. cat".').input_ids
    words = '<unk> cat , the well @-@ known cat don \'t <unk> <unk> $ 1 @,@ 000 @.@ 5 <eos> the " U.S. cat . "'
    assert tokenizer.convert_ids_to_tokens(ids) == words.split()
    assert set(tokenizer("the")) == {"input_ids", "attention_mask"}
    assert tokenizer("").input_ids == tokenizer("  \t ").input_ids == []


def test_words_become_a_text_again(tokenizer: Tokenizer) -> None:
    text = 'don\'t, "the well-known cat" sat. $1,000.5'
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.decode(tokenizer("the<eos>cat .").input_ids, skip_special_tokens=True) == "the cat."


def test_small_letters_are_an_option(tmp_path: Path) -> None:
    tokens = read(write(tmp_path, {"vocab.pkl": pickle.dumps(contents())}), RECIPE, lower_case=True)
    assert tokens("The CAT <EOS> <eos>").input_ids == [3, 4, 0, 0]


def test_a_special_token_in_capitals_is_one_unknown_word(tokenizer: Tokenizer) -> None:
    assert tokenizer("the <UNK> cat").input_ids == [3, 1, 4]
    assert tokenizer("the <XYZ> cat").input_ids == [3, 1, 1, 1, 4]


def test_texts_end_where_the_settings_say(tmp_path: Path) -> None:
    write(tmp_path, {"vocab.pkl": pickle.dumps(contents())})
    assert read(tmp_path, RECIPE, add_eos=True)("the", "cat").input_ids == [3, 0, 4, 0]
    with pytest.raises(
        TextError, match=r"vocab\.pkl: add_double_eos puts '<S>' around a text, which the vocabulary lacks"
    ):
        read(tmp_path, RECIPE, add_double_eos=True)
    words = [*VOCABULARY, "<S>"]
    write(tmp_path, {"vocab.pkl": pickle.dumps(contents(words))})
    assert read(tmp_path, RECIPE, add_double_eos=True)("the").input_ids == [len(words) - 1, 3, len(words) - 1]


def test_the_unknown_word_is_the_one_that_the_file_names(tmp_path: Path) -> None:
    words = ["<S>", "<UNK>", "the"]
    tokens = read(write(tmp_path, {"vocab.pkl": pickle.dumps(contents(words))}), RECIPE)
    assert tokens("the cat").input_ids == [2, 1]
    tokens = read(write(tmp_path, {"vocab.txt": "a\n<UNK>\n"}), RECIPE)
    assert tokens("a b").input_ids == [0, 1]
    with pytest.raises(TextError, match=r"vocab\.txt: no word stands for unknown ones"):
        read(write(tmp_path, {"vocab.txt": "a\nb\n"}), RECIPE)


def test_the_list_of_words_goes_before_the_pickles(tmp_path: Path) -> None:
    write(tmp_path, {"vocab.txt": "<unk>\nb\n", "vocab.pkl": pickle.dumps(contents())})
    assert read(tmp_path, RECIPE)("b").input_ids == [1]


def test_saving_and_reading_keeps_the_ids(tokenizer: Tokenizer, tmp_path: Path) -> None:
    text = "The cat, don't <eos> 1,000.5 <UNK>"
    tokenizer.save_pretrained(tmp_path / "saved")
    assert not list((tmp_path / "saved").glob("*.pkl"))
    assert read(tmp_path / "saved", RECIPE)(text).input_ids == tokenizer(text).input_ids
    (tmp_path / "saved" / "tokenizer.json").unlink()
    assert read(tmp_path / "saved", RECIPE)(text).input_ids == tokenizer(text).input_ids


def test_no_list_is_written_of_words_that_a_list_cannot_hold(tmp_path: Path) -> None:
    tokens = read(write(tmp_path, {"vocab.pkl": pickle.dumps(contents([*VOCABULARY, "a b"]))}), RECIPE)
    tokens.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / "vocab.txt").exists()
    assert read(tmp_path / "saved", RECIPE)("the cat").input_ids == [3, 4]


# -- files that would do something else --------------------------------------------------------------------------------


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def test_the_hostile_object_of_these_tests_does_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Runs(os.mkdir, str(tmp_path / "ran"))))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
@pytest.mark.parametrize("wrap", ["alone", "in the dict", "torch archive", "torch before archives"])
def test_nothing_that_a_pickle_names_is_executed(wrap: str, protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    hostile = Runs(os.mkdir, str(marker))
    value: object = hostile if wrap == "alone" else contents(extra=hostile)
    if wrap.startswith("torch"):
        data = torch_file(value, archive=wrap == "torch archive")
    else:
        data = pickle.dumps(value, protocol)
    with pytest.raises(TextError, match=r"vocab\.pkl: .*(mkdir|instruction).*nothing of this file was executed"):
        read(write(tmp_path / "model", {"vocab.pkl": data}), RECIPE)
    assert not marker.exists()


class Other:
    """A class of the author's own."""


@pytest.mark.parametrize(
    "value",
    [
        defaultdict(int, a=1),
        deque([1]),
        np.arange(3),
        torch.zeros(2),
        Other(),
        b"bytes",
        1 + 2j,
        bytearray(b"a"),
        slice(1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_that_no_vocabulary_holds_are_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"vocab\.pkl: .*nothing of this file was executed"):
        read(write(tmp_path, {"vocab.pkl": pickle.dumps(contents(extra=value))}), RECIPE)


@pytest.mark.parametrize(
    "value", [re.compile("a"), {"a", "b"}, Other, print], ids=["pattern", "set", "class", "function"]
)
def test_what_a_saved_tokenizer_brings_with_it_is_left_out(value: Any, tmp_path: Path) -> None:
    tokens = read(write(tmp_path, {"vocab.pkl": pickle.dumps(contents(extra=value))}), RECIPE)
    assert tokens("the").input_ids == [3]


def swapped(words: list[str]) -> dict[str, int]:
    return {word: number for number, word in enumerate([words[1], words[0], *words[2:]])}


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("vocab.pkl", b"", r"vocab\.pkl: is no pickled vocabulary"),
        ("vocab.pkl", b"not a pickle", r"vocab\.pkl: is no pickled vocabulary"),
        ("vocab.pkl", pickle.dumps(contents())[:-200], r"is no pickled vocabulary"),
        ("vocab.bin", torch_file(contents(), archive=True)[:-200], r"vocab\.bin: is no pickled vocabulary"),
        ("vocab.bin", torch_file(contents(), archive=False)[:300], r"vocab\.bin: is no pickled vocabulary"),
        ("vocab.bin", torch_file({"a": torch.zeros(3)}, archive=True), r"vocab\.bin: .*(tensors|rebuild)"),
        ("vocab.pkl", pickle.dumps(["a"]), r"holds a list without idx2sym"),
        ("vocab.pkl", pickle.dumps({"a": 1}), r"holds a dict without idx2sym"),
        ("vocab.pkl", pickle.dumps(contents(idx2sym={"a": 1})), r"idx2sym is a dict; it must be a list of words"),
        ("vocab.pkl", pickle.dumps(contents(idx2sym=[])), r"idx2sym is a list; it must be a list of words"),
        ("vocab.pkl", pickle.dumps(contents(idx2sym=["a", 1])), r"idx2sym\[1\] is a int; it must be a word"),
        ("vocab.pkl", pickle.dumps(contents(["a", "b", "a"])), r"idx2sym has 'a' at 0 and at 2; words must differ"),
        ("vocab.pkl", pickle.dumps(contents(sym2idx=[1])), r"sym2idx is a list; it must map words to ids"),
        ("vocab.pkl", pickle.dumps(contents(sym2idx={"a": 0})), rf"idx2sym has {len(VOCABULARY)} words, sym2idx 1"),
        (
            "vocab.pkl",
            pickle.dumps(contents(sym2idx=swapped(VOCABULARY))),
            r"'<eos>' is number 0 .* sym2idx gives it 1",
        ),
        ("vocab.pkl", pickle.dumps(contents(unk_idx=99)), r"unk_idx is 99; it must be the place of one of the"),
        ("vocab.pkl", pickle.dumps(contents(unk_idx="x")), r"unk_idx is 'x'"),
        ("vocab.txt", b"", r"vocab\.txt, line 1: is blank"),
        ("vocab.txt", b"a\n\n<unk>\n", r"vocab\.txt, line 2: is blank"),
        ("vocab.txt", b"a\n\xff\n", r"vocab\.txt: byte 2 is not UTF-8"),
    ],
)
def test_damaged_files_are_errors_that_name_file_and_place(
    name: str, data: bytes, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(TextError, match=problem):
        read(write(tmp_path, {name: data}), RECIPE)


def test_a_pickle_cut_off_anywhere_is_never_read(tmp_path: Path) -> None:
    data = pickle.dumps(contents())
    for length in range(0, len(data), 7):
        with pytest.raises(TextError, match=r"vocab\.pkl: (is no pickled vocabulary|.*executed)"):
            read(write(tmp_path, {"vocab.pkl": data[:length]}), RECIPE)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"language": "fr"}, "language is 'fr'"),
        ({"delimiter": ""}, "delimiter is ''"),
        ({"lower_case": 3}, "lower_case=3"),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(options: Any, problem: str, tmp_path: Path) -> None:
    write(tmp_path, {"vocab.pkl": pickle.dumps(contents())})
    with pytest.raises(TextError, match=problem):
        read(tmp_path, RECIPE, **options)
