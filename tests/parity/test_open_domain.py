"""Spans of passages are ranked as the reference's reader tokenizer ranks them, and read as it reads them."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import tfx_core
from tfx_core.embedding import Passage
from tfx_retrieval.hits import Hit
from tfx_retrieval.open_domain import OpenDomainQuestionAnswering

WORDS = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "in", "is", "on", "cat", "sat", "mat"),
    *("boat", "sails", "sea", "bread", "baked", "oven", "##s", ",", "."),
)
PASSAGES = [
    Passage("The cats sat on the mat, the cat is on a boat.", topic="Cat"),
    Passage("a boat sails on the sea . the sea is in the cat", topic="the boat"),
    Passage("bread", topic="oven"),
    Passage("bread is baked in the oven, a cat in the oven is baked.", topic="bread is baked"),
]
QUESTION = "is the cat on the mat"


class Found:
    """Finds all passages."""

    def search(self, questions: Any, k: int = 5, *, where: Any = None) -> list[list[Hit]]:
        return [[Hit(rank, 0.0, rank, passage) for rank, passage in enumerate(PASSAGES)] for _ in questions]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tfx_core.new_model(
        "dpr",
        head="reader",
        seed=2,
        vocab_size=len(WORDS),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=40,
        max_position_embeddings=60,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
    model.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        {"num_spans": 6, "max_answer_length": 64, "num_spans_per_passage": 4},
        {"num_spans": 16, "max_answer_length": 3, "num_spans_per_passage": 2},
        {"num_spans": 3, "max_answer_length": 1, "num_spans_per_passage": 16},
    ],
)
def test_the_best_spans_are_the_references(folder: Path, options: dict[str, int]) -> None:
    tokenizer = transformers.DPRReaderTokenizer.from_pretrained(folder)
    inputs = tokenizer(
        questions=[QUESTION] * len(PASSAGES),
        titles=[each.topic for each in PASSAGES],
        texts=[each.text for each in PASSAGES],
        padding=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        output = transformers.DPRReader.from_pretrained(folder).eval()(**inputs)
    lists = {"input_ids": inputs["input_ids"].tolist()}
    for ids in lists["input_ids"]:  # where it takes the first separator for the second, a title would be an answer, too
        ids[ids.index(tokenizer.sep_token_id)] = tokenizer.unk_token_id
    theirs = tokenizer.decode_best_spans(lists, output, **options)
    task: Any = tfx_core.pipeline("open-domain-question-answering", folder, index=Found(), passages=len(PASSAGES))
    assert isinstance(task, OpenDomainQuestionAnswering)
    top_k = options.pop("num_spans")
    ours = task(QUESTION, top_k=top_k, **options)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["passage"]["text"] == PASSAGES[other.doc_id].text
        assert mine["span_score"] == pytest.approx(float(other.span_score), abs=1e-4)
        assert mine["relevance_score"] == pytest.approx(float(other.relevance_score), abs=1e-4)
        assert (
            tokenizer(mine["answer"], add_special_tokens=False)["input_ids"]
            == lists["input_ids"][other.doc_id][other.start_index : other.end_index + 1]
        )
