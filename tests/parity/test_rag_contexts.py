"""Contexts of a RAG's generator are those of the reference's retriever, token by token."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import ByteLevelBPETokenizer
from transformers import BartConfig, BartTokenizerFast, DPRConfig, RagConfig, RagRetriever, RagTokenizer

import tfx_core
import tfx_retrieval.rag.tokenizers
from tfx_retrieval import Passage
from tfx_retrieval.rag.contexts import ContextForm, ContextReader, context_batch

PASSAGES = [
    Passage('The "with" statement closes  a file, whatever happens.', topic='"With"'),
    Passage("A generator is a function that yields.", topic="generators"),
    Passage("Nothing.", topic=""),
    Passage("Ends in a quote", topic='the title "x"'),
]
QUESTIONS = ["How do I close a file?", "what  yields", 'a "quoted" word']


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bart")
    trainer = ByteLevelBPETokenizer()
    texts = [each.text for each in PASSAGES]
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer.train_from_iterator(texts, vocab_size=320, special_tokens=special, show_progress=False)
    trainer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BartTokenizer"}))
    return folder


@pytest.mark.parametrize("separators", [{}, {"title_sep": " | ", "doc_sep": " ? "}])
@pytest.mark.parametrize("prefix", ["", "question: "])
def test_contexts_are_those_of_the_reference(folder: Path, separators: dict[str, str], prefix: str) -> None:
    theirs: Any = object.__new__(RagRetriever)  # whose own making asks for a data set
    theirs.config = RagConfig.from_question_encoder_generator_configs(DPRConfig(), BartConfig(), **separators)
    theirs.generator_tokenizer = BartTokenizerFast.from_pretrained(folder)
    docs = [{"title": [each.topic for each in PASSAGES], "text": [each.text for each in PASSAGES]}] * len(QUESTIONS)
    ids, mask = theirs.postprocess_docs(docs, QUESTIONS, prefix, len(PASSAGES))
    reader = ContextReader(tfx_core.load_tokenizer(folder), ContextForm(prefix=prefix, **separators))
    rows = [reader.rows(question, PASSAGES) for question in QUESTIONS]
    expected = [[one for one, real in zip(*row, strict=True) if real] for row in zip(ids, mask, strict=True)]
    assert [row for own in rows for row in own] == expected
    batch = context_batch(rows, [[0.0] * len(PASSAGES)] * len(QUESTIONS), 1)
    length = batch["context_input_ids"].shape[1]
    assert batch["context_input_ids"].tolist() == [row[:length] for row in ids]
    assert batch["context_attention_mask"].tolist() == [row[:length] for row in mask]


def test_folders_of_both_tokenizers_go_both_ways(folder: Path, tmp_path: Path) -> None:
    ours, theirs = tfx_core.load_tokenizer(folder), BartTokenizerFast.from_pretrained(folder)
    RagTokenizer(theirs, theirs).save_pretrained(tmp_path / "theirs")
    tfx_retrieval.rag.tokenizers.RagTokenizer(ours, ours).save_pretrained(tmp_path / "ours")
    read = tfx_retrieval.rag.tokenizers.RagTokenizer.from_pretrained(tmp_path / "theirs")
    config = RagConfig.from_question_encoder_generator_configs(BartConfig(), BartConfig())
    again = RagTokenizer.from_pretrained(tmp_path / "ours", config=config)
    for side in ("question_encoder", "generator"):
        expected = theirs(QUESTIONS)["input_ids"]
        assert getattr(read, side)(QUESTIONS)["input_ids"] == expected
        assert getattr(again, side)(QUESTIONS)["input_ids"] == expected
