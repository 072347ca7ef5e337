"""What collators of the reference, and users of its tokenizers, ask of ours gives the same numbers."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import BertWordPieceTokenizer

import tfx_core

WORDS = ["the quick brown fox jumps over the lazy dog", "a stitch in time saves nine", "to be or not to be"]
TEXTS = ["the fox", "a quick brown dog jumps over nine lazy stitches", ""]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Our tokenizer and theirs, of one folder."""
    folder = tmp_path_factory.mktemp("bert")
    trained = BertWordPieceTokenizer()
    trained.train_from_iterator(WORDS, vocab_size=80, min_frequency=1, show_progress=False)
    trained.save_model(str(folder))
    transformers.BertTokenizerFast(vocab_file=str(Path(folder) / "vocab.txt")).save_pretrained(folder)
    return tfx_core.load_tokenizer(folder), transformers.AutoTokenizer.from_pretrained(folder)


def same(ours: Any, theirs: Any) -> None:
    assert {*ours} == {*theirs}
    for name in theirs:
        assert ours[name].dtype == theirs[name].dtype
        assert torch.equal(ours[name], theirs[name]), name


def test_ids_are_framed_as_there(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    for first, second in (([5, 6], None), ([5], [7, 8]), ([], [9]), ([], None)):
        for name in ("build_inputs_with_special_tokens", "create_token_type_ids_from_sequences"):
            assert getattr(ours, name)(first, second) == getattr(theirs, name)(first, second)
    ids = theirs("the fox", "a dog").input_ids
    marks = ours.get_special_tokens_mask(ids, already_has_special_tokens=True)
    assert marks == theirs.get_special_tokens_mask(ids, already_has_special_tokens=True)
    assert ours.get_special_tokens_mask([5, 6], [7]) == [1, 0, 0, 1, 0, 1]


@pytest.mark.parametrize(
    "collate",
    [
        lambda tokenizer: transformers.DataCollatorWithPadding(tokenizer),
        lambda tokenizer: transformers.DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8),
        lambda tokenizer: transformers.DataCollatorWithPadding(tokenizer, padding="max_length", max_length=40),
        lambda tokenizer: transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.3, seed=5),
        lambda tokenizer: transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False),
    ],
    ids=["padding", "multiple", "max_length", "masked", "causal"],
)
def test_collators_of_the_reference_take_it(collate: Any, both: tuple[Any, Any]) -> None:
    found = []
    for tokenizer in both:
        features = [dict(tokenizer(text)) for text in TEXTS]
        torch.manual_seed(0)
        found.append(collate(tokenizer)(features))
    same(*found)


def test_collators_of_labels_take_it(both: tuple[Any, Any]) -> None:
    found = []
    for tokenizer in both:
        features = [{**tokenizer(text), "labels": [1] * len(tokenizer(text).input_ids)} for text in TEXTS]
        found.append(transformers.DataCollatorForTokenClassification(tokenizer)([dict(each) for each in features]))
        found.append(transformers.DataCollatorForSeq2Seq(tokenizer, model=None)([dict(each) for each in features]))
    same(found[0], found[2])
    same(found[1], found[3])


def test_older_names_give_the_same(both: tuple[Any, Any]) -> None:
    ours, theirs = both
    assert dict(ours.encode_plus("the fox", "a dog")) == dict(theirs.encode_plus("the fox", "a dog"))
    assert dict(ours.batch_encode_plus(TEXTS)) == dict(theirs.batch_encode_plus(TEXTS))
    assert ours.encode("the fox", truncation=True, max_length=3, stride=0) == theirs.encode(
        "the fox", truncation=True, max_length=3, stride=0
    )
    for name in ("vocab", "vocab_size", "is_fast", "max_len_single_sentence", "max_len_sentences_pair"):
        assert getattr(ours, name) == getattr(theirs, name)
