"""Entities and answers stand in the text as words, on the tokenizer of every architecture that is installed."""

from pathlib import Path
from typing import Any

import pytest

import tfx_core
from tests.models.test_tokenizers import NAMES, released, released_with
from tests.models.tiny import tiny_config
from tfx_core.plugins import ArchitectureSpec, registry

TEXTS = [
    "hello abc",
    "  Anna lives\tin New\nYork  City. ",
    "Éire and Zoë\n\nsaw \U0001f600 there",
    "a{b c{",
    "東京 に 住む",
]


def pipeline(task: str, head: str, name: str, folder: Path, **options: Any) -> Any:
    made = released_with("mask_token", "<mask>", name, folder) if task == "fill-mask" else released(name, folder)
    tokenizer = tfx_core.load_tokenizer(made)
    tokenizer.add_tokens(["{"])
    sizes = {**tiny_config(name), "vocab_size": len(tokenizer)}
    model = tfx_core.new_model(name, head=head, seed=1, **sizes).eval()
    return tfx_core.pipeline(task, model=model, tokenizer=tokenizer, **options)


def with_head(head: str) -> list[str]:
    return [name for name in NAMES if head in registry.find(ArchitectureSpec, name).heads]


@pytest.mark.parametrize("strategy", ["simple", "first", "average", "max"])
@pytest.mark.parametrize("name", with_head("token-classification"))
def test_entities_are_words_of_the_text(name: str, strategy: str, tmp_path: Path) -> None:
    tag = pipeline("token-classification", "token-classification", name, tmp_path, aggregation_strategy=strategy)
    for text, entities in zip(TEXTS, tag(TEXTS), strict=True):
        assert entities
        for entity in entities:
            word = text[entity["start"] : entity["end"]]
            assert entity["word"] == word == word.strip() != ""
            assert "\ufffd" not in word
    if strategy != "simple":  # whose entities may begin within a word
        (entities,) = tag(TEXTS[1:2])
        assert "".join("".join(entity["word"].split()) for entity in entities) == "".join(TEXTS[1].split())


@pytest.mark.parametrize("name", with_head("question-answering"))
def test_answers_are_words_of_the_context(name: str, tmp_path: Path) -> None:
    ask = pipeline("question-answering", "question-answering", name, tmp_path, top_k=20)
    for text in TEXTS:
        for answer in ask({"question": "Who?", "context": text}):
            words = text[answer["start"] : answer["end"]]
            assert answer["answer"] == words == words.strip() != ""
    for text in (*TEXTS, "e\u0301e\u0301 \u00e9", "a \n\n\n", " \t \t\ta"):  # of blanks, or parts of letters, mostly
        assert ask({"question": "Who?", "context": text}, top_k=1, align_to_words=False)["answer"]
