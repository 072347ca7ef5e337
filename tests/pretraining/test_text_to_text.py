"""Pairs with the tokenizers of the families: what stands around sources and targets is what these put there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import tfx_core
from tests.cases import case_of
from tests.core.text.folders import write
from tfx_core import Tokenizer
from tfx_core.errors import InputError
from tfx_training import Document, Part, TokenCorpus
from tfx_training.objective import generator_of
from tfx_training.objectives.text_to_text import TextToText


def tokenizer_of(model_type: str, folder: Path) -> Tokenizer:
    files = {**case_of(model_type).released(), "config.json": {"model_type": model_type}}
    return tfx_core.load_tokenizer(write(folder, files))


def pair(source: str, target: str, groups: Sequence[str] = ("", "")) -> Document:
    return Document((Part(source, group=groups[0]), Part(target, group=groups[1])))


DIRECTIONS = {"mbart": ("de_DE", "ro_RO"), "marian": ("", "fra")}


@pytest.mark.parametrize("model_type", ["t5", "mt5", "bart", "mbart", "marian", "pegasus", "prophetnet"])
def test_rows_are_what_the_tokenizer_gives_for_a_pair(model_type: str, tmp_path: Path) -> None:
    tokens = tokenizer_of(model_type, tmp_path)
    groups = DIRECTIONS.get(model_type, ("", ""))
    objective = TextToText(tokens, length=32, target_length=32)
    corpus = TokenCorpus.of(tokens, [pair("hello abc", "world hello", groups), pair("abc", "a b c d", groups)])
    rows = objective.rows(corpus, generator_of(0))
    batch = objective.batch([objective.example(row, generator_of(0)) for row in rows])
    names = {name: group for name, group in zip(("src_lang", "tgt_lang"), groups, strict=True) if group}
    expected = tokens(["hello abc", "abc"], text_target=["world hello", "a b c d"], padding=True, **names)
    assert batch["input_ids"].tolist() == expected["input_ids"]
    assert batch["attention_mask"].tolist() == expected["attention_mask"]
    assert [[each for each in row if each != -100] for row in batch["labels"].tolist()] == [
        tokens(text_target=text, **names)["input_ids"] for text in ("world hello", "a b c d")
    ]
    # any of these architectures learns from it
    tiny = {name: value for name, value in case_of(model_type).tiny.items() if name != "vocab_size"}
    trainee = objective.trainee(objective.new_models(model_type, seed=0, **tiny)).eval()
    outcome = trainee(batch)
    assert torch.isfinite(outcome.losses["loss"])
    assert 0 <= outcome.right["loss"] <= 1


@pytest.mark.parametrize("model_type", ["marian", "prophetnet"])
def test_targets_that_a_decoder_has_no_positions_for(model_type: str, tmp_path: Path) -> None:
    tokens = tokenizer_of(model_type, tmp_path)
    tiny = {name: value for name, value in case_of(model_type).tiny.items() if name != "vocab_size"}
    models = TextToText(tokens).new_models(model_type, seed=0, **tiny)
    most = models["model"].backbone.text_writer.max_positions
    TextToText(tokens, length=32, target_length=most).trainee(models)
    said = f"target_length={most + 1}: the model has positions for {most} tokens"
    with pytest.raises(InputError, match=said):
        TextToText(tokens, length=32, target_length=most + 1).trainee(models)
    with pytest.raises(InputError, match=r"^length=200: the model has positions for"):
        TextToText(tokens, length=200, target_length=32).trainee(models)


def test_a_prefix_names_the_task(tmp_path: Path) -> None:
    tokens = tokenizer_of("t5", tmp_path)
    objective = TextToText(tokens, prefix="translate {source} to {target}: ")
    corpus = TokenCorpus.of(tokens, [pair("hello world", "abc", ("English", "German"))])
    example = objective.example(objective.rows(corpus, generator_of(0))[0], generator_of(0))
    assert example["input_ids"].tolist() == tokens("translate English to German: hello world")["input_ids"]
    task = TextToText(tokens, prefix="{source}: ")
    corpus = TokenCorpus.of(tokens, [pair("hello", "abc", ("summarize", ""))])
    example = task.example(task.rows(corpus, generator_of(0))[0], generator_of(0))
    assert example["input_ids"].tolist() == tokens("summarize: hello")["input_ids"]


def test_long_sides_are_cut_before_their_end_token(tmp_path: Path) -> None:
    tokens = tokenizer_of("t5", tmp_path)
    objective = TextToText(tokens, length=6, target_length=4, prefix="ab ")
    corpus = TokenCorpus.of(tokens, [pair("a b c d e f g", "h i j k l m")])
    example = objective.example(objective.rows(corpus, generator_of(0))[0], generator_of(0))
    assert example["input_ids"].tolist() == [*tokens("ab a b c d e f g")["input_ids"][:5], tokens.eos_token_id]
    assert example["labels"].tolist() == [*tokens("h i j k")["input_ids"][:3], tokens.eos_token_id]


def test_what_is_no_pair_or_language_is_said(tmp_path: Path) -> None:
    tokens = tokenizer_of("t5", tmp_path / "t5")
    three = Document((Part("a"), Part("b"), Part("c")))
    for documents, found in (([pair("a", "b"), "c"], 1), ([pair("a", "b"), three], 3)):
        with pytest.raises(InputError, match=f"document 1 has {found} parts or sentences; each must have two parts"):
            TextToText(tokens).rows(TokenCorpus.of(tokens, documents), generator_of(0))
    with pytest.raises(InputError, match=r"prefix='\{task\}: ': in braces may stand \{source\} and \{target\}"):
        TextToText(tokens, prefix="{task}: ")
    few = TokenCorpus.of(tokens, [pair("a", "b")])
    prefix = len(tokens("a b c: ", add_special_tokens=False)["input_ids"])
    for options, said in (
        ({"length": 1}, "length=1: .* leave no room for it; it must be at least 2"),
        ({"length": prefix, "prefix": "a b c: "}, f"length={prefix}: .* it must be at least {prefix + 2}"),
        ({"target_length": 1}, "target_length=1: .* leave no room"),
    ):
        with pytest.raises(InputError, match=said):
            TextToText(tokens, **options).rows(few, generator_of(0))
    tokens = tokenizer_of("mbart", tmp_path / "mbart")
    corpus = TokenCorpus.of(tokens, [pair("a", "b", ("Klingon", "de_DE"))])
    with pytest.raises(InputError, match="src_lang='Klingon': not one of the 25 languages"):
        TextToText(tokens).rows(corpus, generator_of(0))
    with pytest.raises(InputError, match="tgt_lang"):
        TextToText(tokens).rows(TokenCorpus.of(tokens, [pair("a", "b")]), generator_of(0))
    tokens.tgt_lang = "de_DE"
    rows = TextToText(tokens).rows(TokenCorpus.of(tokens, [pair("a", "b")]), generator_of(0))
    assert np.array_equal(rows[-1].source, rows[0].source)


@pytest.mark.parametrize("model_type", ["t5", "marian"])
def test_a_new_model_begins_its_targets_with_the_padding_token(model_type: str, tmp_path: Path) -> None:
    tokens = tokenizer_of(model_type, tmp_path)
    tiny = {**case_of(model_type).tiny, "vocab_size": len(tokens)}
    for key in ("decoder_start_token_id", "pad_token_id"):
        tiny.pop(key, None)
    model = TextToText(tokens).new_models(model_type, seed=0, **tiny)["model"]
    assert model.config.decoder_start_token_id == tokens.pad_token_id
